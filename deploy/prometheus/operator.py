#!/usr/bin/env python3
"""Writes the rules as objects of the Prometheus Operator: `operator.py` writes them to operator/, `operator.py --check`
says which differ.

The operator's format is a rule file's, two spaces further to the right, so nothing has to be understood here. Needs Python
3.9 and nothing else.
"""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
HEAD = """\
# Made of ../rules/{name}.yml by operator.py.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: chatbot-{name}
  labels:
    app.kubernetes.io/part-of: chatbot
spec:
"""


def main():
    differ = []
    for rules in sorted((FOLDER / "rules").glob("*.yml")):
        path = FOLDER / "operator" / f"{rules.stem}.yaml"
        lines = rules.read_text().splitlines()
        text = HEAD.format(name=rules.stem) + "".join(f"  {line}".rstrip() + "\n" for line in lines)
        if not path.exists() or path.read_text() != text:
            differ.append(path.name)
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
    print(f"differ: {' '.join(differ)}" if differ else "nothing differs")
    return 1 if differ and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
