# A module for a whole network, as most teams have one: everything is optional, made by `count`, and
# named after the module's name. What a VPC is born with (its default group, ACL and table) is
# managed, too.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" {}
variable "cidr" {}
variable "zones" { type = list(string) }
variable "public_subnets" {
  type    = list(string)
  default = []
}
variable "private_subnets" {
  type    = list(string)
  default = []
}
variable "database_subnets" {
  type    = list(string)
  default = []
}
variable "intra_subnets" {
  type    = list(string)
  default = []
}
variable "single_nat_gateway" {
  type    = bool
  default = false
}
variable "enable_nat_gateway" {
  type    = bool
  default = true
}
variable "enable_ipv6" {
  type    = bool
  default = false
}
variable "enable_dhcp_options" {
  type    = bool
  default = true
}
variable "flow_log_group" {
  type    = string
  default = null
}
variable "public_acl_rules" {
  type    = list(map(string))
  default = []
}
variable "tags" {
  type    = map(string)
  default = {}
}

locals {
  nat_gateways = !var.enable_nat_gateway ? 0 : var.single_nat_gateway ? 1 : length(var.private_subnets)
}

resource "aws_vpc" "this" {
  cidr_block                           = var.cidr
  instance_tenancy                     = "default"
  enable_dns_hostnames                 = true
  enable_dns_support                   = true
  enable_network_address_usage_metrics = false
  assign_generated_ipv6_cidr_block     = var.enable_ipv6 ? true : null
  tags                                 = merge({ Name = var.name }, var.tags)
}

resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge({ Name = "${var.name}-default" }, var.tags)
}

resource "aws_default_network_acl" "this" {
  default_network_acl_id = aws_vpc.this.default_network_acl_id
  # Subnets with an ACL of their own leave this one.
  subnet_ids = null
  ingress {
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    protocol   = "-1"
    rule_no    = 100
    to_port    = 0
  }
  ingress {
    action          = "allow"
    from_port       = 0
    ipv6_cidr_block = "::/0"
    protocol        = "-1"
    rule_no         = 101
    to_port         = 0
  }
  egress {
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    protocol   = "-1"
    rule_no    = 100
    to_port    = 0
  }
  egress {
    action          = "allow"
    from_port       = 0
    ipv6_cidr_block = "::/0"
    protocol        = "-1"
    rule_no         = 101
    to_port         = 0
  }
  tags = merge({ Name = "${var.name}-default" }, var.tags)
  lifecycle {
    ignore_changes = [subnet_ids]
  }
}

resource "aws_default_route_table" "this" {
  default_route_table_id = aws_vpc.this.default_route_table_id
  route                  = []
  tags                   = merge({ Name = "${var.name}-default" }, var.tags)
  timeouts {
    create = "5m"
    update = "5m"
  }
}

resource "aws_vpc_dhcp_options" "this" {
  count                = var.enable_dhcp_options ? 1 : 0
  domain_name          = "${var.name}.test"
  domain_name_servers  = ["AmazonProvidedDNS"]
  ntp_servers          = ["169.254.169.123"]
  netbios_name_servers = []
  tags                 = merge({ Name = var.name }, var.tags)
}

resource "aws_vpc_dhcp_options_association" "this" {
  count           = var.enable_dhcp_options ? 1 : 0
  vpc_id          = aws_vpc.this.id
  dhcp_options_id = aws_vpc_dhcp_options.this[0].id
}

resource "aws_internet_gateway" "this" {
  count  = length(var.public_subnets) > 0 ? 1 : 0
  vpc_id = aws_vpc.this.id
  tags   = merge({ Name = var.name }, var.tags)
}

resource "aws_egress_only_internet_gateway" "this" {
  count  = var.enable_ipv6 ? 1 : 0
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "public" {
  count                                          = length(var.public_subnets)
  vpc_id                                         = aws_vpc.this.id
  cidr_block                                     = var.public_subnets[count.index]
  availability_zone                              = element(var.zones, count.index)
  map_public_ip_on_launch                        = true
  assign_ipv6_address_on_creation                = var.enable_ipv6
  enable_dns64                                   = var.enable_ipv6
  enable_resource_name_dns_aaaa_record_on_launch = var.enable_ipv6
  enable_resource_name_dns_a_record_on_launch    = false
  private_dns_hostname_type_on_launch            = null
  ipv6_cidr_block                                = null
  ipv6_native                                    = false
  tags                                           = merge({ Name = "${var.name}-public-${count.index}" }, var.tags)
}

resource "aws_route_table" "public" {
  count  = length(var.public_subnets) > 0 ? 1 : 0
  vpc_id = aws_vpc.this.id
  tags   = merge({ Name = "${var.name}-public" }, var.tags)
}

resource "aws_route_table_association" "public" {
  count          = length(var.public_subnets)
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_route" "public_internet_gateway" {
  count                  = length(aws_internet_gateway.this)
  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
  timeouts {
    create = "5m"
  }
}

resource "aws_network_acl" "public" {
  count      = length(var.public_acl_rules) > 0 ? 1 : 0
  vpc_id     = aws_vpc.this.id
  subnet_ids = aws_subnet.public[*].id
  tags       = merge({ Name = "${var.name}-public" }, var.tags)
}

resource "aws_network_acl_rule" "public" {
  count          = length(var.public_acl_rules)
  network_acl_id = aws_network_acl.public[0].id
  egress         = lookup(var.public_acl_rules[count.index], "egress", false)
  rule_number    = var.public_acl_rules[count.index]["rule_number"]
  rule_action    = var.public_acl_rules[count.index]["rule_action"]
  from_port      = lookup(var.public_acl_rules[count.index], "from_port", null)
  to_port        = lookup(var.public_acl_rules[count.index], "to_port", null)
  icmp_code      = lookup(var.public_acl_rules[count.index], "icmp_code", null)
  icmp_type      = lookup(var.public_acl_rules[count.index], "icmp_type", null)
  protocol       = var.public_acl_rules[count.index]["protocol"]
  cidr_block     = lookup(var.public_acl_rules[count.index], "cidr_block", null)
}

resource "aws_subnet" "private" {
  count             = length(var.private_subnets)
  vpc_id            = aws_vpc.this.id
  cidr_block        = var.private_subnets[count.index]
  availability_zone = element(var.zones, count.index)
  tags              = merge({ Name = "${var.name}-private-${count.index}" }, var.tags)
}

resource "aws_route_table" "private" {
  count  = length(var.private_subnets) > 0 ? max(local.nat_gateways, 1) : 0
  vpc_id = aws_vpc.this.id
  tags   = merge({ Name = "${var.name}-private-${count.index}" }, var.tags)
}

resource "aws_route_table_association" "private" {
  count          = length(var.private_subnets)
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[var.single_nat_gateway ? 0 : min(count.index, length(aws_route_table.private) - 1)].id
}

resource "aws_eip" "nat" {
  count      = local.nat_gateways
  domain     = "vpc"
  tags       = merge({ Name = "${var.name}-${count.index}" }, var.tags)
  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  count         = local.nat_gateways
  allocation_id = aws_eip.nat[count.index].id
  subnet_id     = element(aws_subnet.public[*].id, count.index)
  tags          = merge({ Name = "${var.name}-${count.index}" }, var.tags)
  depends_on    = [aws_internet_gateway.this, aws_route.public_internet_gateway]
}

resource "aws_route" "private_nat_gateway" {
  count                  = local.nat_gateways
  route_table_id         = aws_route_table.private[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[count.index].id
  timeouts {
    create = "5m"
  }
}

resource "aws_subnet" "database" {
  count             = length(var.database_subnets)
  vpc_id            = aws_vpc.this.id
  cidr_block        = var.database_subnets[count.index]
  availability_zone = element(var.zones, count.index)
  tags              = merge({ Name = "${var.name}-database-${count.index}" }, var.tags)
}

resource "aws_route_table_association" "database" {
  count          = length(var.database_subnets)
  subnet_id      = aws_subnet.database[count.index].id
  route_table_id = aws_route_table.private[0].id
}

resource "aws_subnet" "intra" {
  for_each   = toset(var.intra_subnets)
  vpc_id     = aws_vpc.this.id
  cidr_block = each.value
  tags       = merge({ Name = "${var.name}-intra" }, var.tags)
}

resource "aws_route_table" "intra" {
  count  = length(var.intra_subnets) > 0 ? 1 : 0
  vpc_id = aws_vpc.this.id
  tags   = merge({ Name = "${var.name}-intra" }, var.tags)
}

resource "aws_route_table_association" "intra" {
  for_each       = aws_subnet.intra
  subnet_id      = each.value.id
  route_table_id = aws_route_table.intra[0].id
}

# Clouds deliver flow logs to a log group with a role.
data "aws_iam_policy_document" "flow_log" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "flow_log" {
  count              = var.flow_log_group == null ? 0 : 1
  name_prefix        = "vpc-flow-log-role-"
  assume_role_policy = data.aws_iam_policy_document.flow_log.json
  tags               = var.tags
}

resource "aws_flow_log" "this" {
  count                    = var.flow_log_group == null ? 0 : 1
  log_destination_type     = "cloud-watch-logs"
  log_group_name           = var.flow_log_group
  iam_role_arn             = aws_iam_role.flow_log[0].arn
  traffic_type             = "REJECT"
  vpc_id                   = aws_vpc.this.id
  max_aggregation_interval = 600
  tags                     = merge({ Name = var.name }, var.tags)
}

output "vpc_id" { value = aws_vpc.this.id }
output "vpc_cidr_block" { value = aws_vpc.this.cidr_block }
output "vpc_main_route_table_id" { value = aws_vpc.this.main_route_table_id }
output "default_security_group_id" { value = aws_vpc.this.default_security_group_id }
output "public_subnets" { value = aws_subnet.public[*].id }
output "private_subnets" { value = aws_subnet.private[*].id }
output "private_route_table_ids" { value = aws_route_table.private[*].id }
output "public_route_table_ids" { value = aws_route_table.public[*].id }
output "nat_public_ips" { value = aws_eip.nat[*].public_ip }
output "arns" {
  value = concat(
    [aws_vpc.this.arn],
    aws_subnet.public[*].arn,
    aws_route_table.public[*].arn,
    aws_internet_gateway.this[*].arn,
    aws_vpc_dhcp_options.this[*].arn,
    aws_network_acl.public[*].arn,
  )
}
