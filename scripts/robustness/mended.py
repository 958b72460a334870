"""What the campaigns found, and the test that would fail if it came back."""

from __future__ import annotations

from typing import NamedTuple


class Mended(NamedTuple):
    """A finding that is mended.

    Parameters
    ----------
    campaign
        "fuzz", "kills" or "surroundings".
    what
        What happened.
    now
        What happens now.
    test
        The test, as pytest names it.
    """

    campaign: str
    what: str
    now: str
    test: str


FUZZ = "tests/robustness/test_fuzz.py::test_every_reader_reads_or_refuses_and_runs_nothing"
VERBS = "tests/robustness/test_verbs.py::"
ALLOWED = "tests/models/test_allowed_modules.py::test_the_module_of_a_strange_model_is_not_run"
MENDED = (
    Mended(
        "fuzz",
        "a model file or a run folder from elsewhere made Python import the module that it named",
        "it is refused unless ONEKCAL_MODULES names the module or the process has imported it",
        ALLOWED,
    ),
    Mended(
        "fuzz",
        "damaged npz, h5, safetensors, tar, mat and JSON files ended in dozens of tracebacks, "
        "from AttributeError to zlib.error",
        "one line that names the file, for whatever a parser raises",
        FUZZ,
    ),
    Mended(
        "fuzz",
        "an array that says it has 10¹² numbers ended in a MemoryError",
        "one line; a verb that needs too much memory ends in a line, too",
        "tests/robustness/test_findings.py::test_an_array_that_says_it_is_huge_is_refused",
    ),
    Mended(
        "fuzz",
        "nine lines of YAML aliases stood for four billion entries and took minutes",
        "more than 200,000 entries are refused, and a tree that holds itself",
        "tests/robustness/test_findings.py::test_aliases_that_stand_for_billions_are_refused",
    ),
    Mended(
        "fuzz",
        "a SMILES of thousands of atoms took hours and gigabytes, one of 600 minutes",
        "geometries are made for up to 300 atoms",
        "tests/robustness/test_findings.py::test_a_smiles_of_thousands_of_atoms_is_refused",
    ),
    Mended(
        "fuzz",
        "a table with thousands of columns of one name took minutes",
        "each name is looked up once",
        "tests/robustness/test_findings.py::"
        "test_a_table_of_thousands_of_columns_of_one_name_is_named_in_no_time",
    ),
    Mended(
        "fuzz",
        "a key of an experiment that was a number of hundreds of digits was quoted in full, twice",
        "quotes are short",
        "tests/robustness/test_findings.py::"
        "test_a_key_that_is_a_number_of_thousands_of_digits_is_quoted_in_short",
    ),
    Mended(
        "fuzz",
        "a stage `:hipnn` ended in a ValueError",
        "one line says what is expected",
        "tests/robustness/test_findings.py::test_a_stage_that_names_half_a_module_is_refused",
    ),
    Mended(
        "fuzz",
        "a YAML number of 400,000 digits was looked at in every way to split it, for minutes",
        "its pattern has one way",
        "tests/robustness/test_findings.py::test_a_number_of_thousands_of_digits_is_looked_at_once",
    ),
    Mended(
        "fuzz",
        "digits of other scripts (²) and counts of 5,000 digits ended in a ValueError",
        "they are no number of atoms",
        "tests/robustness/test_findings.py::test_a_strange_count_is_no_count",
    ),
    Mended(
        "fuzz",
        "a message quoted a damaged file: 2,000 characters and more, or several lines",
        "what a file says stands in a message with 200 to 500 characters",
        FUZZ,
    ),
    Mended(
        "fuzz",
        "texts in another encoding ended in a UnicodeDecodeError",
        "one line, or a replacement character in a comment",
        FUZZ,
    ),
    Mended(
        "fuzz",
        "messages about damaged files of QM9 and of four other formats quoted thousands of digits",
        "what a parser says is quoted in short",
        "tests/robustness/test_findings.py::test_what_a_file_of_qm9_says_is_quoted_in_short",
    ),
    Mended(
        "fuzz",
        "messages quoted several lines of a wfx file, and a long word of a molden file",
        "the kind of its functions is quoted in 40 characters",
        "tests/robustness/test_findings.py::"
        "test_what_a_file_of_orbitals_says_is_quoted_in_one_short_line",
    ),
    Mended(
        "fuzz",
        "a message about an experiment or a suite quoted a setting of 5,000 digits",
        "a setting is quoted in short",
        "tests/robustness/test_findings.py::test_what_an_experiment_says_is_quoted_in_short",
    ),
    Mended(
        "fuzz",
        "SciPy's reader of MATLAB files ended the process on a damaged qm7.mat",
        "a reader of our own refuses it in one line",
        "tests/datasets/test_mat_file.py::test_numbers_of_an_unknown_kind_are_refused",
    ),
    Mended(
        "mutants",
        "no test noticed the sign of an error, a threshold, an entry of a table, or scores of a "
        "calibration that came from widths fitted with them",
        "each has a test",
        "tests/trust/test_metrics.py::test_errors_are_predicted_minus_reference",
    ),
    Mended(
        "kills",
        "a training that was killed after its folder had appeared had no hierarchy.png",
        "pictures are drawn before the folder appears",
        "tests/robustness/test_findings.py::test_pictures_are_there_when_the_folder_appears",
    ),
    Mended(
        "kills",
        "a server that was killed while a file was uploaded left a folder that is no job",
        "the next server removes it after an hour",
        "tests/serve/test_jobs.py::"
        "test_what_was_uploaded_and_became_no_job_is_removed_after_an_hour",
    ),
    Mended(
        "surroundings",
        "two processes that labelled into one file lost each other's records",
        "the second one waits and finds them done",
        VERBS + "test_two_processes_at_once_make_one_whole_thing",
    ),
    Mended(
        "surroundings",
        "a limit of the file size made HDF5 print a traceback while fields were created",
        "the room is reserved first; where there is none, one line says so",
        VERBS + "test_on_a_full_disk_it_ends_in_a_line_and_afterwards_goes_on",
    ),
    Mended(
        "surroundings",
        "a locale without UTF-8 ended in a UnicodeEncodeError at the first ±",
        "a pipe gets UTF-8, a terminal a question mark",
        "tests/robustness/test_findings.py::test_a_locale_without_utf_8_is_written_to",
    ),
    Mended(
        "surroundings",
        "a pipe that was closed (`| head -1`) gave an exit status of 1",
        "it is 0, as for every reader that has what it wanted",
        "tests/robustness/test_findings.py::"
        "test_without_home_and_with_a_reader_that_leaves_nothing_is_said",
    ),
    Mended(
        "surroundings",
        "a home that cannot be written ended `onekcal serve` in a traceback",
        "one line names the folder and ONEKCAL_HOME; `onekcal doctor` says it, too",
        "tests/robustness/test_findings.py::test_a_home_that_cannot_be_written_is_said",
    ),
    Mended(
        "surroundings",
        "a home that cannot be written ended `data get` in a line that named a file in it, and no "
        "remedy; `data import` found it out after the file was read",
        "one line names the folder and ONEKCAL_HOME, before anything is done",
        VERBS
        + "test_in_a_home_that_cannot_be_written_what_needs_none_works_and_the_rest_is_one_line",
    ),
    Mended(
        "mutants",
        "no test of G4(MP2) noticed the spin-orbit energies of most atoms, the core of lithium, "
        "the energy of a proton, or that two electrons are correlated",
        "each has a test",
        "tests/quantum/test_g4mp2.py::test_two_electrons_are_correlated_exactly_and_one_not_at_all",
    ),
)
