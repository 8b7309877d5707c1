"""Holds documents about images against their official validators; prints what is wrong."""

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

for path in sys.argv[1:]:
    if path.endswith(".spdx.json"):
        wrong = [m.validation_message for m in validate_full_spdx_document(parse_file(path))]
    else:
        with open(path, encoding="utf-8") as file:
            found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read())
        wrong = [str(found)] if found else []
    for message in wrong:
        print(f"{path}: {message}")
