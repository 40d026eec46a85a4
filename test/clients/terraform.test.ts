/** Terraform's provider for AWS with all its resources and data sources of what Atoll has. */
import { describeTerraform } from '../kit/terraform.ts'

describeTerraform(
  'Terraform',
  'terraform',
  'All resources of `test/clients/terraform/main.tf` are made, planned again without a difference, changed, imported, and destroyed. Where neither program is there, contract tests replay its calls.',
  (report) => {
    const VOLUMES = 'Atoll has no volumes of their own and no snapshots yet'
    report.excludes(
      'aws_ebs_volume, aws_volume_attachment, aws_ebs_snapshot, aws_ami with snapshots',
      VOLUMES,
    )
    report.excludes('aws_spot_instance_request, aws_ec2_fleet, reservations', 'Atoll sells nothing')
    report.excludes(
      'aws_vpc_endpoint, aws_egress_only_internet_gateway, aws_vpn_*, aws_ec2_transit_*',
      'Atoll has no endpoints, IPv6 or VPNs',
    )
    report.excludes(
      'volume_tags of containers',
      'they have no volumes, and the provider asks by a filter without values',
    )
    report.excludes(
      'user data and tags of a launch template, in a second plan of aws_instance',
      'the provider always wants to change them (hashicorp/terraform-provider-aws, issues 30825 and 39476)',
    )
    report.excludes(
      'aws_default_vpc_dhcp_options',
      "the provider looks for EC2's own domain name, and Atoll lists the sets of the account only",
    )
    report.excludes('data.aws_region', 'the provider looks the name up in its own list of regions')
    report.excludes('aws_iam_group and what belongs to it', 'Atoll has no groups of users')
  },
)
