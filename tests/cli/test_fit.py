"""`sufficiency fit`: a curve of any tool, on the terminal."""

from pathlib import Path

from tests.support.command_line import Run


def test_the_command_prints_table_projection_inverse_verdict_and_plot(sufficiency: Run, tmp_path: Path) -> None:
    file = tmp_path / "curve.csv"
    file.write_text("n,Accuracy\n50,.71\n100,.78\n200,.83\n400,.865\n")
    outcome = sufficiency("fit", str(file), "--target", "0.9", "--n", "1000", "-o", str(tmp_path / "study.jsonl"))
    assert outcome.code == 0
    for said in ("0.8650", "1,000", "0.9", "Accuracy is 0.865 at n = 400", "o", "400"):
        assert said in outcome.out
    assert (tmp_path / "study.jsonl").exists()
    answer = sufficiency("fit", str(file), "--json")
    assert answer.code == 0
    assert '"project"' in answer.out


def test_the_command_says_what_is_wrong_with_the_file(sufficiency: Run, tmp_path: Path) -> None:
    file = tmp_path / "curve.csv"
    file.write_text("images,Accuracy\n50,.71\n100,.78\n200,.83\n")
    outcome = sufficiency("fit", str(file))
    assert outcome.code == 2
    assert "no column of training-set sizes" in outcome.err
    assert sufficiency("fit", str(file), "--column", "n=images").code == 0
    assert "does not name a column" in sufficiency("fit", str(file), "--column", "images").err
    assert sufficiency("fit", str(tmp_path / "none.csv")).code == 2
