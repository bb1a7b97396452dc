"""Write the default ``config.yaml``, its JSON schema and its reference anew from the sections."""

import argparse

from fgclep.config.generate import ROOT, generated

if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m fgclep.config", description=__doc__).parse_args()
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
