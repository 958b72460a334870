"""What a newcomer once stumbled over: each point has a test that fails on the old behaviour."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
STUMBLES = {
    # wrong or dangerous
    "forces of the shipped model mean nothing": (
        "models/test_force_meaning.py",
        "test_the_model_that_ships_has_none_and_predict_refuses_them_at_once",
    ),
    "eV are learned as kcal/mol": (
        "newcomer/test_units.py",
        "test_atomization_energies_in_another_unit_stop_the_training",
    ),
    "the answer depends on the spelling of a SMILES": (
        "geometry/test_conformers.py",
        "test_every_spelling_of_a_smiles_gives_the_same_energies",
    ),
    "labels are overwritten": (
        "newcomer/test_labels.py",
        "test_labels_of_another_method_are_not_replaced_silently",
    ),
    "a report is written into a picture": (
        "newcomer/test_runs.py",
        "test_a_report_is_never_written_into_a_picture",
    ),
    "an atom and its coordinates are taken for methane": (
        "newcomer/test_tables.py",
        "test_an_atom_and_three_numbers_are_no_methane",
    ),
    "an sdf at standard input is taken for SMILES": (
        "newcomer/test_tables.py",
        "test_standard_input_is_told_by_its_content",
    ),
    "a set whose name begins with mini is taken for the embedded one": (
        "newcomer/test_runs.py",
        "test_an_imported_set_shows_its_size_and_may_begin_like_the_embedded_one",
    ),
    "--force is a false hint": (
        "newcomer/test_answers.py",
        "test_a_refusal_hints_at_force_only_where_that_answers",
    ),
    # missing
    "Python pays for many threads": (
        "newcomer/test_answers.py",
        "test_python_uses_one_thread_as_the_command_does",
    ),
    "ids and columns of a table are lost": (
        "newcomer/test_tables.py",
        "test_ids_names_and_columns_of_a_table_are_kept",
    ),
    "tags of an sdf are lost": (
        "newcomer/test_tables.py",
        "test_tags_of_an_sdf_are_kept_and_name_what_has_no_title",
    ),
    "the list of suites needs pyscf": (
        "newcomer/test_help.py",
        "test_the_suites_are_listed_without_pyscf",
    ),
    "no calculator for ASE": (
        "calculator/test_calculator.py",
        "test_a_delta_model_and_gfn2_relax_under_ase",
    ),
    "no dynamics": ("dynamics/test_dynamics.py", "test_nve_is_ases_velocity_verlet"),
    "no reaction energies": (
        "prediction/test_reaction.py",
        "test_ethanol_to_ether_agrees_with_experiment",
    ),
    "no parallel predict": (
        "newcomer/test_answers.py",
        "test_two_processes_give_the_same_in_the_same_order",
    ),
    "no DataFrame": ("newcomer/test_answers.py", "test_answers_are_a_frame"),
    "no --unit": (
        "newcomer/test_answers.py",
        "test_the_screen_is_in_the_unit_that_is_asked_for",
    ),
    "no --coverage": (
        "newcomer/test_answers.py",
        "test_a_wider_coverage_is_a_wider_interval",
    ),
    "the heat of formation and its interval are hard to reach": (
        "newcomer/test_answers.py",
        "test_a_heat_of_formation_has_its_interval_everywhere",
    ),
    "a wrong type ends in a traceback": (
        "newcomer/test_settings.py",
        "test_the_command_ends_without_a_traceback",
    ),
    "the doctor finds fault with zeros": (
        "newcomer/test_runs.py",
        "test_the_doctor_takes_no_imaginary_frequencies_for_lost_labels",
    ),
    "the rerun line of a report does not run": (
        "newcomer/test_runs.py",
        "test_the_commands_of_a_report_can_be_typed_as_they_stand",
    ),
    "Ctrl-C says nothing": (
        "newcomer/test_answers.py",
        "test_after_ctrl_c_what_is_done_stays_and_the_rest_can_be_asked",
    ),
    "an imported set shows 0 molecules": (
        "newcomer/test_runs.py",
        "test_an_imported_set_shows_its_size_and_may_begin_like_the_embedded_one",
    ),
    "controls overlap on a phone": (
        "web/test_phone.py",
        "test_no_two_controls_of_a_field_s_page_overlap",
    ),
    "a table of a report is cut on a phone": (
        "web/test_phone.py",
        "test_tables_of_a_report_are_scrolled_and_not_cut",
    ),
    "a table of the web page is cut on a phone": (
        "serve/test_browser.py",
        "test_on_a_phone_no_table_is_cut",
    ),
    "the repr of a model floods a notebook": (
        "newcomer/test_runs.py",
        "test_a_model_is_one_line_in_a_notebook",
    ),
    "no docs site": ("docs/test_links.py", "test_it_is_two_clicks_from_the_first_page"),
    "no list of stages and settings": (
        "docs/test_links.py",
        "test_every_command_stage_and_key_is_in_the_reference",
    ),
    "no shell completion": ("newcomer/test_help.py", "test_the_shell_can_complete_verbs"),
    "no examples in --help": ("newcomer/test_help.py", "test_each_verb_shows_two_examples"),
    "the first training ends badly": (
        "newcomer/test_first_training.py",
        "test_the_first_experiment_ends_well_without_a_question",
    ),
    "a correction that brings nothing is not explained": (
        "newcomer/test_correction.py",
        "test_train_prints_the_comparison_and_the_curve",
    ),
}


def _has(file: str, test: str) -> bool:
    """Whether a file of tests holds a test."""
    return bool(re.search(rf"^def {test}\(", (TESTS / file).read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("stumble", STUMBLES)
def test_a_stumble_has_a_test(stumble: str) -> None:
    assert _has(*STUMBLES[stumble])


def test_a_test_that_is_gone_is_noticed() -> None:
    assert not _has("newcomer/test_units.py", "test_no_such_thing")
