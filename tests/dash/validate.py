"""Checks manifests against schemas.

Arguments: schemas, `--`, manifests. Prints a JSON list of what is wrong, each with its place.
"""

import json
import sys

import xmlschema


def main(arguments):
    split = arguments.index("--")
    schemas, manifests = arguments[:split], arguments[split + 1 :]
    wrong = []
    for path in schemas:
        schema = xmlschema.XMLSchema(path)
        for manifest in manifests:
            for error in schema.iter_errors(manifest):
                wrong.append(f"{manifest}: {error.path}: {error.reason}")
    print(json.dumps(wrong))


main(sys.argv[1:])
