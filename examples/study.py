"""Are synthetic clips worth anything on real video? python examples/study.py TRAIN.csv TEST.csv SHARDS OUT

The CSVs list real videos with their frame labels (columns: see README.md); SHARDS is what `augment generate` wrote. So few
updates and one seed only show how it is done: leave `steps` and `seeds` out for a study to believe.
"""

import sys
from pathlib import Path

from recognition.ablation import ablate
from recognition.report import write_report
from recognition.study_file import load_study

STUDY = """
name: example
classes: {{standing: standing, fall: fall, down: [fallen, lying]}}
arms: [real, real_synthetic]
real: {{csv: {train}}}
test: {{csv: {test}}}
synthetic: {shards}
group_by: [trial]
window_sec: 1.0
frames: 4
size: 32
steps: 4
seeds: [0]
"""


def main(train: Path, test: Path, shards: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "study.yaml").write_text(STUDY.format(train=train.resolve(), test=test.resolve(), shards=shards.resolve()))
    result = ablate(load_study(out / "study.yaml"), out / "report")
    write_report(result, out / "report")
    print(*result["verdicts"], sep="\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
