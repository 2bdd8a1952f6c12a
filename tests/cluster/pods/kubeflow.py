"""The double of the KFP API in a pod; every run it is asked for is a line."""

import json
from typing import Any

from tests.kfp_backend import KfpBackend


class InAPod(KfpBackend):
    def server_bind(self) -> None:
        self.server_address = ("0.0.0.0", 8888)
        super().server_bind()

    def add(self, body: dict[str, Any]) -> dict[str, Any]:
        run = super().add(body)
        print(json.dumps({"run": run["display_name"], "trigger": body["runtime_config"]["parameters"]["trigger"]}))
        return run


InAPod().serve_forever()
