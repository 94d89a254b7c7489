"""Where batches come from: generated worlds, folders of files, public data sets, text."""
