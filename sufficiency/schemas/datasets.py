"""Shapes of datasets: how they are registered, and what a worker found in them."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from sufficiency.schemas.fields import Name, Strict, Timestamp, Word
from sufficiency.schemas.patterns import DATASET_NAME
from sufficiency.schemas.words import DatasetStatus, FingerprintOf


class Split(Strict):
    """How one split is read."""

    loader: Name = Field(description="a dataset plugin")
    params: dict[str, Any] = Field(default_factory=dict)


class SplitRule(Strict):
    """How one source is cut into a training and a test split."""

    test_fraction: float = Field(0.2, gt=0, lt=1, description="share of the items in the test split")
    seed: int = Field(0, ge=0, lt=2**63)
    stratify: bool = Field(True, description="keep the proportions of the classes, where there are classes")
    group_by: Name | None = Field(
        None, description="key of the items' metadata: items with the same value stay in one split"
    )


class FeatureStep(Strict):
    """What takes the place of the items: what a layer of a registered model is given for them; it is not trained."""

    model: Name = Field(description="a model plugin, of which the head is left out")
    params: dict[str, Any] = Field(default_factory=dict)
    head: str | None = Field(
        None, max_length=500, description="name of the layer whose input the features are; null: the last dense layer"
    )


class NewDataset(Strict):
    """A named pair of splits: `train` and `test`, or one `source` that is split by a rule."""

    name: str = Field(
        pattern=DATASET_NAME,
        max_length=100,
        description="letters, digits, `.`, `_` and `-`, the first a letter or digit",
    )
    train: Split | None = None
    test: Split | None = None
    source: Split | None = Field(None, description="what is split, in place of `train` and `test`")
    split: SplitRule | None = Field(None, description="how `source` is split; null: a fifth to test on, by class")
    standardise: bool = Field(
        False, description="put every feature at mean 0 and standard deviation 1 of the training split"
    )
    fingerprint: FingerprintOf = Field(
        "content",
        description="by what it is known again: all that it holds; or its sizes and labels alone, for items that are "
        "another whenever they are read",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="of what its loaders draw at random")
    features: FeatureStep | None = Field(
        None, description="compute features once, and study a linear probe on them: cells then take what a table's take"
    )

    @model_validator(mode="after")
    def _one_way(self) -> "NewDataset":
        pair = self.train is not None and self.test is not None
        if self.source is None and not pair:
            raise ValueError("give both `train` and `test`, or one `source` to be split")
        if self.source is not None and (self.train is not None or self.test is not None):
            raise ValueError("give `train` and `test`, or `source`, not both")
        if self.source is None and self.split is not None:
            raise ValueError("`split` says how `source` is split, and there is none")
        return self

    def references(self) -> list[tuple[str, str, Split]]:
        """Return what reads each split: its name, the field that says so, and the loader."""
        if self.source is not None:
            return [("train", "source", self.source), ("test", "source", self.source)]
        assert self.train is not None, "one of the two ways is checked when it is read"
        assert self.test is not None, "one of the two ways is checked when it is read"
        return [("train", "train", self.train), ("test", "test", self.test)]


class NewVersion(Strict):
    """A larger version of a dataset: what is `appended` to it, or the whole training split, which has grown."""

    appended: Split | None = Field(None, description="what reads the new items, and nothing else")
    train: Split | None = Field(
        None,
        description="what reads the whole training split: the items of the version before, in their order, then more",
    )

    @model_validator(mode="after")
    def _one_way(self) -> "NewVersion":
        if (self.appended is None) == (self.train is None):
            raise ValueError("give `appended`, what reads the new items; or `train`, what reads old and new ones")
        return self


# What a dataset lacks is left out of its info, and a newer worker may say more than is named here.
_OPEN = ConfigDict(extra="allow")


class FoundFeature(TypedDict):
    """A column of a table that a model gets."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]

    name: str
    kind: Annotated[str, Field(description="number, boolean, category, text, date or time")]
    numbers: Annotated[int, Field(description="how many of an item's numbers it became")]


class FoundRemark(TypedDict):
    """What was done to a dataset's items, or what looks odd in them."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]

    code: str
    detail: str


class FoundMissing(TypedDict, total=False):
    """What became of missing values."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]

    handling: Annotated[str, Field(description="drop or impute")]
    files: Annotated[
        list[dict[str, Any]], Field(description="of each file its `path`, and how many rows were dropped and why")
    ]
    columns: Annotated[
        list[dict[str, Any]],
        Field(
            description="of each column that was filled its `name`, the training split's `value` that stands for a "
            "missing one, how many were missing in `train` and `test`, and whether a further feature says where "
            "(`flagged`)"
        ),
    ]


class FoundDiffering(TypedDict, total=False):
    """How often the classes of nearly alike items differ; of each group of such items one pair."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]

    unavoidable: Annotated[int, Field(description="pairs of test items of two classes, no item twice")]
    across: Annotated[int, Field(description="pairs of a test and a training item, of groups without such a pair")]
    across_differing: Annotated[int, Field(description="of these those of two classes")]
    within_train: Annotated[int, Field(description="pairs of training items")]
    within_train_differing: Annotated[int, Field(description="of these those of two classes")]
    groups: Annotated[int, Field(description="pairs of any kind")]
    groups_differing: Annotated[int, Field(description="of these those of two classes")]
    by_chance: Annotated[float, Field(description="share that would differ if items said nothing of their class")]
    directions: Annotated[int, Field(description="pairs of two classes whose difference was compared with others'")]
    directions_agreeing: Annotated[
        int, Field(description="those where it points from the one class to the other as in the others")
    ]


class FoundNearCopies(TypedDict, total=False):
    """Items that are nearly alike to others, and not to the last number: a picture that was saved again."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]

    skipped: Annotated[str, Field(description="why nobody looked; nothing else is told then")]
    test: Annotated[int, Field(description="test items that were looked at, each kind once")]
    train: Annotated[int, Field(description="training items that were looked at, each kind once")]
    stands_for: Annotated[int, Field(description="how many test items those of the test split stand for")]
    test_items: Annotated[int, Field(description="test items with a near copy among the training items")]
    within_test: Annotated[int, Field(description="test items with a near copy among the test items")]
    within_train: Annotated[int, Field(description="training items with a near copy among the training items")]
    examples: Annotated[
        list[tuple[int, int]], Field(description="a few test items, each with its training item, by their places")
    ]
    differing: Annotated[FoundDiffering, Field(description="where there are some, and items have a class each")]
    partial: Annotated[bool, Field(description="there were too many to look at all")]


class DatasetInfo(TypedDict, total=False):
    """What a worker found in a dataset when it last read it."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]

    task: str
    train: Annotated[dict[str, Any], Field(description="its size, and class counts or the target's spread")]
    test: Annotated[dict[str, Any], Field(description="the same of the test split")]
    input_shape: Annotated[list[int], Field(description="of an item")]
    class_names: list[str]
    test_items_in_train: Annotated[int, Field(description="test items that are training items too")]
    test_unavoidable: Annotated[
        int,
        Field(
            description="test items that no model is right about: of items that are alike, number by number, it can be "
            "right about one class alone"
        ),
    ]
    near_copies: Annotated[FoundNearCopies, Field(description="absent: read before anybody looked for them")]
    feature_names: Annotated[list[str], Field(description="what each number of an item is, at most a hundred of them")]
    features: Annotated[list[FoundFeature], Field(description="of a table, at most a hundred of them")]
    notes: Annotated[list[FoundRemark], Field(description="what was done to the items")]
    warnings: Annotated[list[FoundRemark], Field(description="what may make the figures wrong")]
    missing: Annotated[FoundMissing, Field(description="of a table, where missing values are not refused")]


class DatasetView(BaseModel):
    """A registered pair of splits, and what a worker found in it."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "019ab0c4-5b7a-7cc2-9d2e-0f6a1b2c3d4e",
                    "name": "mnist-2500",
                    "train": {"loader": "idx", "params": {"path": "mnist", "split": "t10k", "start": 0, "limit": 2500}},
                    "test": {
                        "loader": "idx",
                        "params": {"path": "mnist", "split": "t10k", "start": 8000, "limit": 500},
                    },
                    "status": "ready",
                    "error": None,
                    "info": {
                        "task": "classification",
                        "train": {"size": 2500, "class_counts": [219, 287, 276, 254, 275, 221, 225, 257, 242, 244]},
                        "test": {"size": 500, "class_counts": [46, 58, 51, 47, 55, 44, 49, 51, 49, 50]},
                        "input_shape": [1, 28, 28],
                        "class_names": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
                        "test_items_in_train": 0,
                    },
                    "fingerprint": "sha256:9f86d081884c7d65",
                    "queued_reason": None,
                    "version": 1,
                    "continues": None,
                    "created_at": "2026-11-23T12:00:00Z",
                    "verified_at": "2026-11-23T12:00:02Z",
                }
            ]
        },
    )

    id: UUID
    name: str
    train: dict[str, Any]
    test: dict[str, Any]
    status: Word[DatasetStatus]
    error: dict[str, Any] | None = Field(description="why it is invalid")
    info: DatasetInfo | None = Field(
        description="task, sizes, class counts or the target's spread, item shape, class names, features, notes and "
        "warnings, as last read"
    )
    fingerprint: str | None
    queued_reason: str | None = Field(None, description="what it waits for while it is to be verified")
    version: int = Field(1, description="1, and one more for each time that items were appended")
    continues: str | None = Field(None, description="the version whose items are the first of this one's")
    created_at: Timestamp
    verified_at: Timestamp | None
