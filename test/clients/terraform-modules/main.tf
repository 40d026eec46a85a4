# Two networks of a team, each by modules as people share them, which are peered; with servers, a
# bastion, a group of workers from a launch template, and the account's own defaults.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" {}
variable "region" {}
variable "image" {}
variable "public_key" {}
# What the second apply changes.
variable "changed" {
  type    = bool
  default = false
}

provider "aws" {
  region                  = var.region
  skip_region_validation  = true
  skip_metadata_api_check = true
  endpoints {
    ec2 = var.endpoint
    iam = var.endpoint
    sts = var.endpoint
  }
  default_tags { tags = { managed = "terraform" } }
  ignore_tags { key_prefixes = ["ignored:"] }
}

locals {
  zones = data.aws_availability_zones.this.names
  tags  = { team = var.changed ? "b" : "a" }
}

data "aws_availability_zones" "this" {
  state = "available"
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

module "main" {
  source           = "./network"
  name             = "main"
  cidr             = "10.60.0.0/16"
  zones            = local.zones
  public_subnets   = [for n in range(2) : cidrsubnet("10.60.0.0/16", 8, n)]
  private_subnets  = [for n in range(2) : cidrsubnet("10.60.0.0/16", 8, 10 + n)]
  database_subnets = [cidrsubnet("10.60.0.0/16", 8, 20)]
  intra_subnets    = var.changed ? ["10.60.30.0/24", "10.60.31.0/24"] : ["10.60.30.0/24"]
  flow_log_group   = "/aws/vpc/main"
  public_acl_rules = [
    { rule_number = 100, rule_action = "allow", protocol = "-1", cidr_block = "0.0.0.0/0", from_port = 0, to_port = 0 },
    { rule_number = 90, rule_action = "deny", protocol = "6", cidr_block = "192.0.2.0/24", from_port = 22, to_port = 22 },
    { rule_number = 80, rule_action = "allow", protocol = "icmp", cidr_block = "0.0.0.0/0", icmp_type = 8, icmp_code = -1 },
    { rule_number = 100, egress = true, rule_action = "allow", protocol = "all", cidr_block = "0.0.0.0/0" },
  ]
  tags = local.tags
}

module "other" {
  source             = "./network"
  name               = "other"
  cidr               = "10.61.0.0/20"
  zones              = local.zones
  public_subnets     = ["10.61.0.0/24"]
  private_subnets    = ["10.61.1.0/24", "10.61.2.0/24"]
  single_nat_gateway = true
  tags               = local.tags
}

# The peering is asked for by one side and accepted by the other.
resource "aws_vpc_peering_connection" "this" {
  vpc_id        = module.main.vpc_id
  peer_vpc_id   = module.other.vpc_id
  peer_owner_id = data.aws_caller_identity.this.account_id
  auto_accept   = false
  tags          = { Side = "requester" }
}

resource "aws_vpc_peering_connection_accepter" "this" {
  vpc_peering_connection_id = aws_vpc_peering_connection.this.id
  auto_accept               = true
  tags                      = { Side = "requester" }
}

resource "aws_vpc_peering_connection_options" "this" {
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this.id
  requester {
    allow_remote_vpc_dns_resolution = var.changed
  }
  accepter {
    allow_remote_vpc_dns_resolution = true
  }
}

resource "aws_route" "to_other" {
  for_each                  = { for n, id in concat(module.main.private_route_table_ids, module.main.public_route_table_ids) : n => id }
  route_table_id            = each.value
  destination_cidr_block    = module.other.vpc_cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_options.this.id
}

module "web_group" {
  source              = "./group"
  name                = "web"
  vpc_id              = module.main.vpc_id
  ingress_cidr_blocks = var.changed ? ["0.0.0.0/0"] : ["192.0.2.0/24", "198.51.100.0/24"]
  ingress = [
    { port = 80, protocol = "tcp", description = "HTTP" },
    { port = 443, protocol = "tcp", description = var.changed ? "TLS" : "HTTPS" },
  ]
  tags = local.tags
}

module "db_group" {
  source                 = "./group"
  name                   = "db"
  vpc_id                 = module.main.vpc_id
  revoke_rules_on_delete = true
  from_groups            = { web = module.web_group.id }
  tags                   = local.tags
}

# Two groups that name each other.
resource "aws_vpc_security_group_ingress_rule" "web_from_db" {
  security_group_id            = module.web_group.id
  referenced_security_group_id = module.db_group.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8090
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "db" {
  for_each          = { dns = 53, ntp = 123 }
  security_group_id = module.db_group.id
  cidr_ipv4         = "10.60.0.0/16"
  ip_protocol       = "udp"
  from_port         = each.value
  to_port           = each.value
  description       = each.key
}

resource "aws_key_pair" "this" {
  key_name_prefix = "team-"
  public_key      = var.public_key
  # Nothing reads it back, so an imported key would be replaced.
  lifecycle {
    ignore_changes = [public_key]
  }
}

module "bastion" {
  source     = "./server"
  name       = "bastion"
  image      = var.image
  subnet_id  = module.main.public_subnets[0]
  groups     = [module.web_group.id, module.main.default_security_group_id]
  key_name   = aws_key_pair.this.key_name
  create_eip = true
  policies   = { read = data.aws_iam_policy.read_only.arn }
  tags       = local.tags
}

module "app" {
  source    = "./server"
  count     = 2
  name      = "app${count.index}"
  image     = var.image
  subnet_id = module.main.public_subnets[1]
  groups    = [module.db_group.id]
  user_data = templatefile("${path.module}/user-data.sh.tftpl", {
    name = "app${count.index}", peers = [module.bastion.private_ip]
  })
  tags = local.tags
}

resource "aws_network_interface" "extra" {
  subnet_id         = module.main.public_subnets[1]
  private_ips_count = var.changed ? 1 : 0
  description       = "extra"
  tags              = local.tags
}

resource "aws_network_interface_attachment" "extra" {
  instance_id          = module.app[0].id
  network_interface_id = aws_network_interface.extra.id
  device_index         = 1
}

resource "aws_network_interface_sg_attachment" "extra" {
  security_group_id    = module.web_group.id
  network_interface_id = aws_network_interface.extra.id
}

resource "aws_eip" "extra" {
  domain                    = "vpc"
  network_interface         = aws_network_interface.extra.id
  associate_with_private_ip = aws_network_interface.extra.private_ip
  depends_on                = [aws_network_interface_attachment.extra]
}

resource "aws_placement_group" "spread" {
  name            = "spread"
  strategy        = "partition"
  partition_count = 3
  tags            = local.tags
}

resource "aws_launch_template" "worker" {
  name_prefix                          = "worker-"
  description                          = var.changed ? "second" : "first"
  image_id                             = var.image
  instance_type                        = "t3.nano"
  key_name                             = aws_key_pair.this.key_name
  update_default_version               = true
  ebs_optimized                        = false
  instance_initiated_shutdown_behavior = "terminate"
  user_data                            = base64encode("#!/bin/sh\necho worker\n")
  network_interfaces {
    associate_public_ip_address = false
    delete_on_termination       = true
    device_index                = 0
    description                 = "worker"
    security_groups             = [module.db_group.id]
    subnet_id                   = module.main.private_subnets[0]
  }
  placement {
    group_name       = aws_placement_group.spread.name
    partition_number = 2
  }
  monitoring { enabled = var.changed }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }
  maintenance_options { auto_recovery = "disabled" }
  private_dns_name_options {
    hostname_type                     = "resource-name"
    enable_resource_name_dns_a_record = true
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "worker" }
  }
  tag_specifications {
    resource_type = "network-interface"
    tags          = { Name = "worker" }
  }
  tags = local.tags
}

resource "aws_instance" "worker" {
  count = 2
  launch_template {
    name = aws_launch_template.worker.name
    # Not "$Latest": once there is a newer version, the provider would have another instance.
    version = aws_launch_template.worker.latest_version
  }
  tags = { Name = "worker${count.index}" }
  lifecycle {
    ignore_changes = [user_data]
  }
}

resource "aws_instance" "latest" {
  instance_type = "t3.micro"
  launch_template {
    id      = aws_launch_template.worker.id
    version = aws_launch_template.worker.latest_version
  }
  tags = { Name = "latest" }
  lifecycle {
    ignore_changes = [launch_template, user_data]
  }
}

# Of the account's default network.
resource "aws_default_vpc" "this" {
  tags = { Name = "Default" }
}

resource "aws_default_subnet" "this" {
  availability_zone       = local.zones[0]
  map_public_ip_on_launch = true
  tags                    = { Name = "Default" }
}

resource "aws_default_security_group" "default" {
  vpc_id = aws_default_vpc.this.id
  ingress {
    protocol  = -1
    self      = true
    from_port = 0
    to_port   = 0
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}


# People with their policies.
resource "aws_iam_policy" "operate" {
  name_prefix = "operate-"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid      = "Look"
      Effect   = "Allow"
      Action   = ["ec2:Describe*", "ec2:Get*"]
      Resource = "*"
      }], var.changed ? [] : [{
      Sid       = "Operate"
      Effect    = "Allow"
      Action    = ["ec2:StartInstances", "ec2:StopInstances"]
      Resource  = "arn:aws:ec2:*:*:instance/*"
      Condition = { StringEquals = { "aws:ResourceTag/team" = "a" } }
    }])
  })
  tags = local.tags
}

resource "aws_iam_user" "people" {
  for_each      = toset(["ada", "grace"])
  name          = each.key
  path          = "/people/"
  force_destroy = true
  tags          = local.tags
}

resource "aws_iam_user_policy_attachment" "people" {
  for_each   = aws_iam_user.people
  user       = each.value.name
  policy_arn = aws_iam_policy.operate.arn
}

resource "aws_iam_access_key" "ada" {
  user = aws_iam_user.people["ada"].name
}

resource "aws_iam_role" "assumed" {
  name = "assumed"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.this.account_id}:root" }
    }]
  })
}

resource "aws_iam_role_policies_exclusive" "assumed" {
  role_name    = aws_iam_role.assumed.name
  policy_names = [aws_iam_role_policy.assumed.name]
}

resource "aws_iam_role_policy" "assumed" {
  name_prefix = "own-"
  role        = aws_iam_role.assumed.id
  policy      = aws_iam_policy.operate.policy
}

resource "aws_iam_role_policy_attachments_exclusive" "assumed" {
  role_name   = aws_iam_role.assumed.name
  policy_arns = []
}

# Reads

data "aws_caller_identity" "this" {}
data "aws_iam_policy" "read_only" { name = "ReadOnlyAccess" }
data "aws_subnets" "public" {
  filter {
    name   = "vpc-id"
    values = [module.main.vpc_id]
  }
  filter {
    name   = "map-public-ip-on-launch"
    values = ["true"]
  }
  tags       = local.tags
  depends_on = [module.main]
}
data "aws_subnet" "each" {
  for_each = { for n in range(2) : n => module.main.private_subnets[n] }
  id       = each.value
}
data "aws_security_group" "default" {
  vpc_id = module.other.vpc_id
  name   = "default"
}
data "aws_route_table" "main" {
  vpc_id = module.other.vpc_id
  filter {
    name   = "association.main"
    values = ["true"]
  }
}
data "aws_internet_gateway" "main" {
  filter {
    name   = "attachment.vpc-id"
    values = [module.main.vpc_id]
  }
  depends_on = [module.main]
}
data "aws_nat_gateway" "other" {
  vpc_id     = module.other.vpc_id
  state      = "available"
  depends_on = [module.other]
}
data "aws_instances" "workers" {
  instance_state_names = ["running", "pending"]
  filter {
    name   = "tag:Name"
    values = ["worker*"]
  }
  depends_on = [aws_instance.worker]
}
data "aws_instance" "bastion" {
  filter {
    name   = "network-interface.network-interface-id"
    values = [module.bastion.nic]
  }
  get_user_data     = true
  get_password_data = false
}
data "aws_network_interface" "bastion" {
  filter {
    name   = "attachment.instance-id"
    values = [module.bastion.id]
  }
}
data "aws_eip" "bastion" {
  public_ip = module.bastion.public_ip
}
data "aws_eips" "mine" {
  tags       = local.tags
  depends_on = [module.bastion]
}
data "aws_vpc_peering_connection" "this" {
  vpc_id      = module.main.vpc_id
  peer_vpc_id = module.other.vpc_id
  status      = "active"
  depends_on  = [aws_vpc_peering_connection_options.this]
}
data "aws_ami" "made" {
  most_recent = true
  owners      = ["self", "amazon"]
  filter {
    name   = "name"
    values = ["samp*"]
  }
  filter {
    name   = "architecture"
    values = ["x86_64"]
  }
  filter {
    name   = "virtualization-type"
    values = ["hvm"]
  }
  filter {
    name   = "root-device-type"
    values = ["ebs"]
  }
}
data "aws_iam_policy_document" "merged" {
  source_policy_documents = [aws_iam_policy.operate.policy]
}
data "aws_iam_principal_policy_simulation" "none" {
  count             = 0
  action_names      = []
  policy_source_arn = ""
}
data "aws_ec2_instance_types" "small" {
  filter {
    name   = "vcpu-info.default-vcpus"
    values = ["2"]
  }
  filter {
    name   = "memory-info.size-in-mib"
    values = ["1024"]
  }
  filter {
    name   = "burstable-performance-supported"
    values = ["true", "false"]
  }
}

output "nat" { value = [module.main.nat_public_ips, module.other.nat_public_ips] }
output "subnets" { value = length(data.aws_subnets.public.ids) }
output "workers" { value = length(data.aws_instances.workers.ids) }
output "arns" { value = concat(module.main.arns, [module.bastion.arn, module.web_group.arn]) }
