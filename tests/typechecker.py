"""The run-time type checker of the tests: beartype, with ints welcome where floats are asked for (PEP 484's numeric tower)."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
