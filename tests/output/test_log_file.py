from __future__ import annotations

import pytest

from rmldnn.errors import ConfigError
from rmldnn.output.log_file import LogFile


def test_a_file_is_cut_behind_a_row(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("one\ntwo\nthr")
    log = LogFile(str(path), key="run_folder")
    log.resume(4)
    log.write("2\n")
    log.close()
    assert path.read_text() == "one\n2\n"


def test_a_file_with_no_row_end_there_is_another_one_and_stays_as_it_is(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("one\ntwo\n")
    log = LogFile(str(path), key="run_folder")
    with pytest.raises(ConfigError, match=r"run_folder: cannot go on in `.*log\.csv`: it is another file than it was"):
        log.resume(6)
    log.close()
    assert path.read_text() == "one\ntwo\n"
