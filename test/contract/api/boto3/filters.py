"""Asks by every filter that botocore's own documentation names, one by one, and prints those that were refused.

Arguments: the API's address, and the actions that it answers. botocore is the machine's, mostly older than the SDK that the
project's table is made from: a filter that EC2 no longer documents is taken, too.
"""
import json
import re
import sys

from botocore.exceptions import ClientError
from story import client

answered = set(sys.argv[2:])
model = client.meta.service_model
methods = client.meta.method_to_api_mapping


def documented(html):
    """The first words of the outer list's items."""
    depth, names = 0, []
    for tag, name in re.findall(r'(<ul>|</ul>|<li>\s*<p>\s*(?:<code>)?\s*([\w.:-]+))', html or ''):
        if tag == '<ul>':
            depth += 1
        elif tag == '</ul>':
            depth -= 1
        elif depth == 1 and name:
            names.append('tag:Name' if name in ('tag', 'tag:') else name)
    return names


asked, refused = 0, []
for method, action in methods.items():
    shape = model.operation_model(action).input_shape
    if action not in answered or shape is None or shape.required_members:
        continue
    for member in ('Filters', 'Filter'):
        for name in documented(getattr(shape.members.get(member), 'documentation', '')):
            asked += 1
            try:
                getattr(client, method)(**{member: [{'Name': name, 'Values': ['x']}]})
            except ClientError as error:
                refused.append([action, name, error.response['Error']['Code']])
print(json.dumps({'asked': asked, 'refused': refused}))
