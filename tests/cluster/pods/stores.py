"""Make the bucket, and a user of the store who may read it and nothing else: ``python stores.py NAME SECRET``."""

import sys
import time

from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider

from ciclo.components.core.settings import settings
from ciclo.components.storage.predictions import PredictionStore

current = settings()
endpoint, key, secret = current.s3_endpoint, current.s3_access_key, current.s3_secret_key.get_secret_value()
store = Minio(endpoint, key, secret, secure=False)
for _ in range(60):
    try:
        if not store.bucket_exists("models"):
            store.make_bucket("models")
        PredictionStore(current.predictions_uri).count("unit")
        break
    except Exception as error:
        print(f"not yet: {error}", flush=True)
        time.sleep(1)
else:
    sys.exit("the stores do not come up")
statement = {
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"],
    "Resource": ["arn:aws:s3:::models", "arn:aws:s3:::models/*"],
}
admin = MinioAdmin(endpoint=endpoint, credentials=StaticProvider(key, secret), secure=False)
admin.policy_add("reads", policy={"Version": "2012-10-17", "Statement": [statement]})
admin.user_add(*sys.argv[1:3])
admin.policy_set("reads", sys.argv[1])
print("the stores are there", flush=True)
