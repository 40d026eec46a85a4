/**
 * The ids by which Terraform's provider for AWS imports resources, from a state that has them.
 * https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs, "Import" of each. Pure.
 */

/** Of `terraform show -json`. */
export interface StateModule {
  readonly resources?: readonly StateResource[]
  readonly child_modules?: readonly StateModule[]
}
interface StateResource {
  readonly address: string
  readonly mode: 'managed' | 'data'
  readonly type: string
  readonly values: Readonly<Record<string, unknown>>
}

type Values = StateResource['values']
const at = (values: Values, name: string): string => String(values[name] ?? '')

/** Null: the provider has no import for it. Types that are not here are imported by `id`. */
const IDS: Readonly<Record<string, ((values: Values) => string) | null>> = {
  aws_ami_copy: null,
  aws_ami_from_instance: null,
  aws_main_route_table_association: null,
  aws_network_interface_sg_attachment: (it) =>
    `${at(it, 'network_interface_id')}_${at(it, 'security_group_id')}`,
  aws_network_interface_attachment: (it) => at(it, 'attachment_id'),
  aws_ec2_instance_metadata_defaults: null,
  aws_ec2_tag: (it) => `${at(it, 'resource_id')},${at(it, 'key')}`,
  aws_ami_launch_permission: (it) => `${at(it, 'account_id')}/${at(it, 'image_id')}`,
  aws_route: (it) => `${at(it, 'route_table_id')}_${at(it, 'destination_cidr_block')}`,
  aws_route_table_association: (it) => `${at(it, 'subnet_id')}/${at(it, 'route_table_id')}`,
  aws_vpc_dhcp_options_association: (it) => at(it, 'vpc_id'),
  aws_default_route_table: (it) => at(it, 'vpc_id'),
  aws_default_vpc_dhcp_options: null,
  aws_network_acl_rule: (it) =>
    [at(it, 'network_acl_id'), at(it, 'rule_number'), at(it, 'protocol'), at(it, 'egress')].join(
      ':',
    ),
  aws_security_group_rule: ruleId,
  aws_iam_instance_profile: (it) => at(it, 'name'),
  aws_iam_role_policy_attachment: (it) => `${at(it, 'role')}/${at(it, 'policy_arn')}`,
  aws_iam_user_policy_attachment: (it) => `${at(it, 'user')}/${at(it, 'policy_arn')}`,
  aws_iam_role_policies_exclusive: (it) => at(it, 'role_name'),
  aws_iam_role_policy_attachments_exclusive: (it) => at(it, 'role_name'),
  aws_placement_group: (it) => at(it, 'name'),
}

/** "sg-1_ingress_tcp_80_80_10.0.0.0/8", with `self` or a group as source. */
function ruleId(values: Values): string {
  const ranges = ['cidr_blocks', 'ipv6_cidr_blocks', 'prefix_list_ids'].flatMap(
    (name) => (values[name] ?? []) as readonly string[],
  )
  const sources =
    values['self'] === true ? ['self'] : [...ranges, at(values, 'source_security_group_id')]
  return [
    ...['security_group_id', 'type', 'protocol', 'from_port', 'to_port'].map((name) =>
      at(values, name),
    ),
    ...sources.filter((source) => source !== ''),
  ].join('_')
}

/** Blocks that import every managed resource, and the addresses that they have. */
export function importBlocks(module: StateModule): {
  readonly text: string
  readonly addresses: readonly string[]
} {
  const found = resourcesOf(module).flatMap(({ address, mode, type, values }) => {
    const idOf = IDS[type] === undefined ? (it: Values) => at(it, 'id') : IDS[type]
    return mode === 'managed' && idOf !== null ? [{ address, id: idOf(values) }] : []
  })
  return {
    text: found
      .map(({ address, id }) => `import {\n  to = ${address}\n  id = ${JSON.stringify(id)}\n}\n`)
      .join(''),
    addresses: found.map(({ address }) => address),
  }
}

function resourcesOf({
  resources = [],
  child_modules = [],
}: StateModule): readonly StateResource[] {
  return [...resources, ...child_modules.flatMap(resourcesOf)]
}
