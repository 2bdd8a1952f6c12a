"""Make the bucket and its two users: one that runs write with, one that model servers read with."""

import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioException

ATTEMPTS, PAUSE = 60, 2.0
_READ = ["s3:GetObject"]
_WRITE = [*_READ, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]


def policy(bucket: str, actions: list[str], prefix: str = "") -> dict[str, Any]:
    """What a user may do with the objects below a prefix of one bucket, and with nothing else."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{bucket}"],
            },
            {"Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*"]},
        ],
    }


def make_users(
    endpoint: str, store: str, root: tuple[str, str], pipeline: tuple[str, str], serving: tuple[str, str]
) -> None:
    """Make the bucket of the store and its users; what is there already stays.

    Args:
        endpoint: Host and port of the server.
        store: ``s3://bucket/prefix``.
        root: Access and secret key of the administrator.
        pipeline: Of the user that writes.
        serving: Of the user that reads below the prefix.
    """
    address = urlsplit(store)
    bucket, prefix = address.netloc, f"{address.path.strip('/')}/".lstrip("/")
    client = Minio(endpoint, *root, secure=False)
    if not client.bucket_exists(bucket):
        client.make_bucket(bucket)
    admin = MinioAdmin(endpoint=endpoint, credentials=StaticProvider(*root), secure=False)
    for name, keys, allowed in (
        ("ciclo-pipeline", pipeline, policy(bucket, _WRITE)),
        ("ciclo-serving", serving, policy(bucket, _READ, prefix)),
    ):
        admin.policy_add(name, policy=allowed)
        admin.user_add(*keys)
        admin.policy_set(name, user=keys[0])


def main() -> int:
    """Try until the server is there."""
    given = os.environ
    keys = [
        (given[f"{name}_{first}"], given[f"{name}_{second}"])
        for name, first, second in (
            ("MINIO_ROOT", "USER", "PASSWORD"),
            ("PIPELINE", "ACCESS_KEY", "SECRET_KEY"),
            ("SERVING", "ACCESS_KEY", "SECRET_KEY"),
        )
    ]
    for _ in range(ATTEMPTS):
        try:
            make_users(given["CICLO_S3_ENDPOINT"], given["CICLO_STORE"], *keys)
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            seen = error
            time.sleep(PAUSE)
        else:
            print(f"{given['CICLO_STORE']}: the bucket and its users are there")
            return 0
    print(f"error: {given['CICLO_S3_ENDPOINT']} does not do what it is asked: {seen}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
