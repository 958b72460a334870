"""One file a published data set."""
