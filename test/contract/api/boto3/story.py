"""What the stories share: the client of the API whose address is the first argument, and short ways to ask it."""
import sys

import boto3
from botocore.exceptions import ClientError

client = boto3.client('ec2', endpoint_url=sys.argv[1])


def client_of(service, **keys):
    """The client of another service, or of another caller."""
    return boto3.client(service, endpoint_url=sys.argv[1], region_name='atoll', **keys)


# What a listing of all must say.
needed = {'DescribeLaunchTemplateVersions': {'Versions': ['$Latest']}}


def code_of(call, **arguments):
    """The code of the error with which a call is refused; None if it is not."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response['Error']['Code']
    return None


def message_of(call, **arguments):
    """What the error says with which a call is refused; None if it is not."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response['Error']['Message']
    return None


def result_of(call, **arguments):
    """The code of the error with which a call is refused, or OK."""
    return code_of(call, **arguments) or 'OK'


def only(items):
    assert len(items) == 1, items
    return items[0]


def where(**filters):
    """Filters: vpc_id is vpc-id, and association__main is association.main."""
    names = ((name.replace('__', '.').replace('_', '-'), value) for name, value in filters.items())
    return [{'Name': name, 'Values': [value]} for name, value in names]
