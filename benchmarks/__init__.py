"""How fast the workbook's heavy steps are, against reference recipes on the same machine."""
