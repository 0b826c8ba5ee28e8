"""What Prometheus scrapes."""

from typing import Any, Final

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from api.bus_metrics import BusMetrics, BusState
from api.dependencies import BoardDep, ClientDep, MetricsDep, ReportDep, VersionDep

router = APIRouter(tags=["system"])

_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "the metrics"}
}


@router.get("/metrics", response_class=Response, responses=_TEXT)
async def metrics(
    *,
    client: ClientDep,
    board: BoardDep,
    report: ReportDep,
    version: VersionDep,
    counted: MetricsDep,
) -> Response:
    """Queues, memory, models, runs, tokens and times in Prometheus' text format.

    What lies on the bus is looked at anew each time. Runs are counted by this process, from the
    first scrape on.
    """
    counted.listen(client.stored.listen)
    state = BusState(
        version=version,
        queues=await report.queues(),
        streams=await report.streams(),
        hosts=tuple(await board.hosts()),
        actors=tuple(await board.present()),
        dead_letters=await report.dead_letters(),
    )
    now = CollectorRegistry()
    now.register(BusMetrics(state))
    text = generate_latest(now) + generate_latest(counted.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
