"""Patterns that names keep to, and what they say in words: a regular expression is no answer."""

UPLOAD_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,90}\.(npz|csv|tsv|txt|parquet)$"
DATASET_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
PROJECT_NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
# Shown on terminals, and written down.
HARMLESS = r"^[^\x00-\x1f\x7f-\x9f]*$"

IN_WORDS = {
    UPLOAD_NAME: "must be a name of letters, digits, '.', '_' and '-', without a folder, that ends in .npz, .csv, "
    ".tsv, .txt or .parquet (a workbook is exported as CSV first)",
    DATASET_NAME: "must be of letters, digits, '.', '_' and '-', the first a letter or digit",
    PROJECT_NAME: "must be of small letters, digits and '-', the first and the last no '-'",
    HARMLESS: "must not contain line breaks, tabs or other control characters",
}
