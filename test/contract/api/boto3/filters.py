"""Asks by every filter that botocore's own documentation names, one by one. Prints those that were refused, those that a value which
nothing has did not narrow down, and how many match with a wildcard where something is listed.

Arguments: the API's address, and the actions that it answers. botocore is the machine's, mostly older than the SDK that the
project's table is made from: a filter that EC2 no longer documents is taken, too.
"""
import json
import re
import sys
from functools import partial

from botocore.exceptions import ClientError
from story import client, needed

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


def count(answer):
    return sum(len(value) for value in answer.values() if isinstance(value, list))


asked, matching, refused, ineffective, by_action = 0, 0, [], [], {}
for method, action in methods.items():
    shape = model.operation_model(action).input_shape
    if action not in answered or shape is None or shape.required_members:
        continue
    ask = partial(getattr(client, method), **needed.get(action, {}))
    names = [(member, documented(getattr(shape.members.get(member), 'documentation', ''))) for member in ('Filters', 'Filter')]
    listed = count(ask()) if any(some for _, some in names) else 0
    for member, name in ((member, name) for member, some in names for name in some):
        asked += 1
        by_action[action] = by_action.get(action, 0) + 1
        try:
            if count(ask(**{member: [{'Name': name, 'Values': ['x']}]})) > 0:
                ineffective.append([action, name])
            if listed > 0:
                matching += count(ask(**{member: [{'Name': name, 'Values': ['*']}]})) > 0
        except ClientError as error:
            refused.append([action, name, error.response['Error']['Code']])
print(
    json.dumps(
        {
            'asked': asked,
            'matching': matching,
            'byAction': by_action,
            'refused': refused,
            'ineffective': ineffective,
        }
    )
)
