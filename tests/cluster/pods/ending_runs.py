"""The double of the KFP API in a pod, whose runs end well after a few looks."""

from typing import Any

from tests.kfp_backend import PREFIX, KfpBackend

TASK = "ingestion"


class EndingRuns(KfpBackend):
    def server_bind(self) -> None:
        self.server_address = ("0.0.0.0", 8888)
        super().server_bind()

    def get(self, url: str) -> tuple[int, Any]:
        status, found = super().get(url)
        if url.startswith(f"{PREFIX}runs/"):
            now = {"RUNNING": "PENDING", "PENDING": "SUCCEEDED"}.get(found["state"], found["state"])
            found |= {"state": now, "run_details": {"task_details": [{"display_name": TASK, "state": now}]}}
        return status, found


backend = EndingRuns()
backend.pages = False  # they are another Service's
backend.serve_forever()
