"""What can be asked about a study, whoever answers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload
from uuid import UUID

from sufficiency.client.replies import Reply
from sufficiency.schemas.words import ExportFormat, PictureKind

if TYPE_CHECKING:
    from sufficiency.schemas.decisions import DecisionView
    from sufficiency.schemas.gates import GateView
    from sufficiency.schemas.jobs import JobView
    from sufficiency.schemas.paging import Page
    from sufficiency.schemas.results import (
        AverageMeasurement,
        CellMeasurement,
        CellView,
        Curves,
        InverseProjection,
        Projection,
    )
    from sufficiency.schemas.verdicts import Verdicts


class Answering(Protocol):
    """Whoever answers questions about studies by their ids: a service, or this process about those that it ran."""

    @property
    def url(self) -> str: ...

    def job(self, id: str | UUID) -> "Reply[JobView]": ...

    @overload
    def measurements(self, id: str | UUID, view: Literal["averages"] = ...) -> "Reply[Page[AverageMeasurement]]": ...

    @overload
    def measurements(self, id: str | UUID, view: Literal["cells"]) -> "Reply[Page[CellMeasurement]]": ...

    def cells(self, id: str | UUID) -> "Reply[Page[CellView]]": ...

    def project(self, id: str | UUID, n: Sequence[float], **options: Any) -> "Reply[Projection]": ...

    def inv_project(
        self, id: str | UUID, targets: Sequence[float | str], **options: Any
    ) -> "Reply[InverseProjection]": ...

    def verdict(self, id: str | UUID, **options: Any) -> "Reply[Verdicts]": ...

    def decide(self, id: str | UUID, price: float, **options: Any) -> "Reply[DecisionView]": ...

    def decision_figure(self, id: str | UUID, price: float, **options: Any) -> dict[str, Any]: ...

    def decision_plot(self, id: str | UUID, price: float, kind: PictureKind = ..., **options: Any) -> bytes: ...

    def gate(self, id: str | UUID, targets: Sequence[float | str], **options: Any) -> "Reply[GateView]": ...

    def report(self, id: str | UUID, **terms: Any) -> str: ...

    def curves(self, id: str | UUID, **options: Any) -> "Reply[Curves]": ...

    def figure(self, id: str | UUID, **options: Any) -> dict[str, Any]: ...

    def plot(self, id: str | UUID, kind: PictureKind = ..., **options: Any) -> bytes: ...

    def table(self, id: str | UUID, view: str, params: Mapping[str, Any] | None = None) -> str: ...

    def export(self, id: str | UUID, format: ExportFormat = ...) -> bytes: ...
