"""scikit-learn's regressors as models."""
