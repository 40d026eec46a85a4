"""Inside an instance: gets the credentials of its role as botocore's default chain does, and calls the API with them.
Arguments: the API's address and that of the metadata service. Prints what was read.
"""
import json
import sys

from botocore.credentials import InstanceMetadataProvider
from botocore.utils import InstanceMetadataFetcher
from story import client_of, result_of

METADATA = sys.argv[2]
fetcher = InstanceMetadataFetcher(timeout=10, num_attempts=2, base_url=METADATA)
found = InstanceMetadataProvider(fetcher).load()
if found is None:
    print(json.dumps({'found': False}))
    sys.exit()
frozen = found.get_frozen_credentials()
keys = {
    'aws_access_key_id': frozen.access_key,
    'aws_secret_access_key': frozen.secret_key,
    'aws_session_token': frozen.token,
}

sts, ec2 = client_of('sts', **keys), client_of('ec2', **keys)
who = sts.get_caller_identity()
print(json.dumps({
    'found': True,
    'arn': who['Arn'],
    'may': [result_of(ec2.describe_instances), result_of(ec2.allocate_address)],
}))
