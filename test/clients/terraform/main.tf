# What people describe with Terraform's provider for AWS: a network, its instances, and what belongs
# to them. It is made, planned again without a difference, changed in place, and destroyed.
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
  default_tags { tags = { project = "tf" } }
}

locals {
  zone = "${var.region}a"
  team = var.changed ? "b" : "a"
}

resource "aws_key_pair" "this" {
  key_name   = "tf"
  public_key = var.public_key
  tags       = { team = local.team }
  # Nothing reads it back, so an imported key would be replaced.
  lifecycle {
    ignore_changes = [public_key]
  }
}

# Networks

resource "aws_vpc" "this" {
  cidr_block           = "10.90.0.0/16"
  enable_dns_hostnames = var.changed
  tags                 = { Name = "tf", team = local.team }
}

resource "aws_vpc_dhcp_options" "this" {
  domain_name         = "tf.test"
  domain_name_servers = ["AmazonProvidedDNS"]
}

resource "aws_vpc_dhcp_options_association" "this" {
  vpc_id          = aws_vpc.this.id
  dhcp_options_id = aws_vpc_dhcp_options.this.id
}

resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.this.id
  cidr_block              = "10.90.1.0/24"
  availability_zone       = local.zone
  map_public_ip_on_launch = var.changed
}

resource "aws_subnet" "private" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.90.2.0/24"
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
  tags = { team = local.team }
}

resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}

resource "aws_eip" "spare" {
  domain = "vpc"
}

resource "aws_nat_gateway" "this" {
  subnet_id  = aws_subnet.public.id
  depends_on = [aws_route_table_association.public]
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
}

resource "aws_route" "private" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this.id
}

resource "aws_main_route_table_association" "this" {
  vpc_id         = aws_vpc.this.id
  route_table_id = aws_route_table.private.id
}

resource "aws_vpc" "other" {
  cidr_block = "10.91.0.0/16"
}

resource "aws_vpc_peering_connection" "this" {
  vpc_id      = aws_vpc.this.id
  peer_vpc_id = aws_vpc.other.id
  auto_accept = true
}

resource "aws_default_security_group" "other" {
  vpc_id = aws_vpc.other.id
}

resource "aws_default_network_acl" "other" {
  default_network_acl_id = aws_vpc.other.default_network_acl_id
  ingress {
    protocol   = "-1"
    rule_no    = 100
    action     = "allow"
    cidr_block = "10.0.0.0/8"
    from_port  = 0
    to_port    = 0
  }
}

resource "aws_default_route_table" "other" {
  default_route_table_id = aws_vpc.other.default_route_table_id
  route {
    cidr_block                = aws_vpc.this.cidr_block
    vpc_peering_connection_id = aws_vpc_peering_connection.this.id
  }
}

resource "aws_network_acl" "this" {
  vpc_id     = aws_vpc.this.id
  subnet_ids = [aws_subnet.private.id]
  ingress {
    protocol   = "tcp"
    rule_no    = 100
    action     = "allow"
    cidr_block = "10.0.0.0/8"
    from_port  = 22
    to_port    = var.changed ? 24 : 22
  }
  egress {
    protocol   = "icmp"
    rule_no    = 100
    action     = "deny"
    cidr_block = "192.0.2.0/24"
    from_port  = 0
    to_port    = 0
    icmp_type  = 8
    icmp_code  = -1
  }
}

resource "aws_network_acl" "apart" {
  vpc_id = aws_vpc.this.id
}

resource "aws_network_acl_rule" "egress" {
  network_acl_id = aws_network_acl.apart.id
  egress         = true
  rule_number    = 200
  protocol       = "icmp"
  icmp_type      = -1
  icmp_code      = -1
  rule_action    = "allow"
  cidr_block     = "0.0.0.0/0"
}

resource "aws_flow_log" "this" {
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "ALL"
  log_group_name           = "tf"
  max_aggregation_interval = 60
}

# Security groups: with rules of its own, and with rules as resources of both kinds.

resource "aws_security_group" "web" {
  name        = "web"
  description = "web"
  vpc_id      = aws_vpc.this.id
  ingress {
    description = "everybody"
    from_port   = 80
    to_port     = var.changed ? 81 : 80
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  ingress {
    from_port = 0
    to_port   = 0
    protocol  = "-1"
    self      = true
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
  tags = { team = local.team }
}

resource "aws_security_group" "db" {
  name_prefix = "db-"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "db" {
  security_group_id            = aws_security_group.db.id
  referenced_security_group_id = aws_security_group.web.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  description                  = local.team
}

resource "aws_vpc_security_group_egress_rule" "db" {
  security_group_id = aws_security_group.db.id
  cidr_ipv4         = "10.90.0.0/16"
  ip_protocol       = "-1"
}

resource "aws_security_group" "old" {
  name   = "old"
  vpc_id = aws_vpc.this.id
}

resource "aws_security_group_rule" "old" {
  security_group_id = aws_security_group.old.id
  type              = "ingress"
  from_port         = 443
  to_port           = 443
  protocol          = "tcp"
  cidr_blocks       = ["192.0.2.0/24", "198.51.100.0/24"]
}

# Roles and users

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "reads" {
  statement {
    actions   = ["ec2:Describe*"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "own" {
  statement {
    actions   = var.changed ? ["ec2:*"] : ["ec2:RunInstances", "ec2:TerminateInstances"]
    resources = ["*"]
  }
}

data "aws_iam_policy" "read_only" {
  arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_role" "this" {
  name               = "tf"
  assume_role_policy = data.aws_iam_policy_document.trust.json
  description        = local.team
  tags               = { team = local.team }
}

resource "aws_iam_role_policy" "this" {
  name   = "reads"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.reads.json
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = data.aws_iam_policy.read_only.arn
}

resource "aws_iam_instance_profile" "this" {
  name = "tf"
  role = aws_iam_role.this.name
}

resource "aws_iam_policy" "this" {
  name        = "tf"
  path        = "/team/"
  description = "own"
  policy      = data.aws_iam_policy_document.own.json
}

resource "aws_iam_role_policy_attachment" "own" {
  role       = aws_iam_role.this.name
  policy_arn = aws_iam_policy.this.arn
}

resource "aws_iam_user" "this" {
  name = "tf"
  path = "/team/"
}

resource "aws_iam_user_policy" "this" {
  name   = "reads"
  user   = aws_iam_user.this.name
  policy = data.aws_iam_policy_document.reads.json
}

resource "aws_iam_user_policy_attachment" "this" {
  user       = aws_iam_user.this.name
  policy_arn = data.aws_iam_policy.read_only.arn
}

resource "aws_iam_access_key" "this" {
  user   = aws_iam_user.this.name
  status = var.changed ? "Inactive" : "Active"
}

# Instances

resource "aws_placement_group" "this" {
  name     = "tf"
  strategy = "cluster"
}

resource "aws_instance" "web" {
  ami                         = var.image
  instance_type               = "t3.micro"
  key_name                    = aws_key_pair.this.key_name
  subnet_id                   = aws_subnet.public.id
  vpc_security_group_ids      = [var.changed ? aws_security_group.db.id : aws_security_group.web.id]
  iam_instance_profile        = aws_iam_instance_profile.this.name
  placement_group             = aws_placement_group.this.name
  private_ip                  = "10.90.1.20"
  user_data                   = "#!/bin/sh\necho ${local.team}\n"
  user_data_replace_on_change = false
  disable_api_termination     = var.changed
  monitoring                  = var.changed
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = var.changed ? 2 : 1
    instance_metadata_tags      = "enabled"
  }
  tags = { Name = "web", team = local.team }
}

resource "aws_ec2_tag" "owner" {
  resource_id = data.aws_vpc.default.main_route_table_id
  key         = "owner"
  value       = local.team
}

resource "aws_eip" "web" {
  domain = "vpc"
  tags   = { team = local.team }
}

resource "aws_eip_association" "web" {
  allocation_id = aws_eip.web.id
  instance_id   = aws_instance.web.id
}

resource "aws_network_interface" "second" {
  subnet_id         = aws_subnet.public.id
  private_ips       = ["10.90.1.50", "10.90.1.51"]
  security_groups   = [aws_security_group.web.id]
  source_dest_check = !var.changed
  description       = local.team
}

resource "aws_network_interface_attachment" "second" {
  instance_id          = aws_instance.web.id
  network_interface_id = aws_network_interface.second.id
  device_index         = 1
}

resource "aws_network_interface" "router" {
  subnet_id         = aws_subnet.public.id
  source_dest_check = false
}

resource "aws_instance" "router" {
  ami           = var.image
  instance_type = "t3.nano"
  network_interface {
    network_interface_id = aws_network_interface.router.id
    device_index         = 0
  }
  # The provider does not read the block back, so an imported instance would be replaced.
  lifecycle {
    ignore_changes = [network_interface, source_dest_check]
  }
}

resource "aws_launch_template" "this" {
  name                   = "tf-template"
  image_id               = var.image
  instance_type          = var.changed ? "t3.micro" : "t3.nano"
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.web.id]
  user_data              = base64encode("#!/bin/sh\n")
  metadata_options { http_tokens = "required" }
  tag_specifications {
    resource_type = "instance"
    tags          = { made = "template" }
  }
}

resource "aws_instance" "templated" {
  subnet_id = aws_subnet.private.id
  launch_template {
    id      = aws_launch_template.this.id
    version = "1"
  }
  lifecycle {
    ignore_changes = [user_data, tags, tags_all]
  }
}

resource "aws_ec2_instance_state" "templated" {
  instance_id = aws_instance.templated.id
  state       = var.changed ? "stopped" : "running"
}

resource "aws_instance" "default" {
  count         = 2
  ami           = data.aws_ami.this.id
  instance_type = data.aws_ec2_instance_type.nano.instance_type
}

resource "aws_ami_from_instance" "this" {
  name                    = "tf-image"
  source_instance_id      = aws_instance.default[0].id
  snapshot_without_reboot = true
}

resource "aws_ami_copy" "this" {
  name              = "tf-copy"
  source_ami_id     = aws_ami_from_instance.this.id
  source_ami_region = var.region
}

resource "aws_ami_launch_permission" "this" {
  image_id   = aws_ami_from_instance.this.id
  account_id = "111122223333"
  # It is unknown beside an import, because the provider cannot import the image.
  lifecycle {
    ignore_changes = [image_id]
  }
}

resource "aws_default_vpc" "this" {}

resource "aws_default_subnet" "this" {
  availability_zone = local.zone
}

resource "aws_ec2_instance_metadata_defaults" "this" {
  http_tokens = "required"
}

# Data sources

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_regions" "this" {}
data "aws_availability_zones" "this" { state = "available" }
data "aws_availability_zone" "this" { name = local.zone }
data "aws_ec2_instance_type" "nano" { instance_type = "t3.nano" }
data "aws_ec2_instance_types" "burstable" {
  filter {
    name   = "instance-type"
    values = ["t3.*"]
  }
}
data "aws_ec2_instance_type_offering" "this" {
  preferred_instance_types = ["none.large", "t3.micro"]
  filter {
    name   = "instance-type"
    values = ["t3.*"]
  }
}
data "aws_ec2_instance_type_offerings" "zones" {
  location_type = "availability-zone"
  filter {
    name   = "instance-type"
    values = ["t3.micro"]
  }
}
data "aws_ami" "this" {
  owners      = ["self"]
  most_recent = true
  filter {
    name   = "image-id"
    values = [var.image]
  }
}
data "aws_ami_ids" "this" { owners = ["self"] }
data "aws_vpc" "default" { default = true }
data "aws_vpc" "this" {
  id = aws_vpc.this.id
}
data "aws_vpcs" "this" {
  tags = { Name = aws_vpc.this.tags.Name }
}
data "aws_subnet" "public" {
  id = aws_subnet.public.id
}
data "aws_subnets" "this" {
  filter {
    name   = "vpc-id"
    values = [aws_vpc.this.id]
  }
  depends_on = [aws_subnet.public, aws_subnet.private]
}
data "aws_security_group" "web" {
  id = aws_security_group.web.id
}
data "aws_security_groups" "this" {
  filter {
    name   = "vpc-id"
    values = [aws_vpc.this.id]
  }
}
data "aws_vpc_security_group_rules" "db" {
  filter {
    name   = "group-id"
    values = [aws_vpc_security_group_ingress_rule.db.security_group_id]
  }
}
data "aws_route_table" "public" {
  subnet_id  = aws_route_table_association.public.subnet_id
  depends_on = [aws_route_table_association.public]
}
data "aws_route_tables" "this" { vpc_id = aws_vpc.this.id }
data "aws_route" "out" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
}
data "aws_internet_gateway" "this" {
  internet_gateway_id = aws_internet_gateway.this.id
}
data "aws_nat_gateway" "this" {
  id = aws_nat_gateway.this.id
}
data "aws_nat_gateways" "this" { vpc_id = aws_vpc.this.id }
data "aws_vpc_dhcp_options" "this" {
  dhcp_options_id = aws_vpc_dhcp_options.this.id
}
data "aws_network_acls" "this" { vpc_id = aws_vpc.this.id }
data "aws_network_interface" "second" {
  id = aws_network_interface.second.id
}
data "aws_network_interfaces" "this" {
  filter {
    name   = "subnet-id"
    values = [aws_network_interface.second.subnet_id]
  }
}
data "aws_vpc_peering_connection" "this" {
  id = aws_vpc_peering_connection.this.id
}
data "aws_vpc_peering_connections" "this" {}
data "aws_eip" "web" {
  id = aws_eip_association.web.allocation_id
}
data "aws_eips" "this" {}
data "aws_key_pair" "this" {
  key_name           = aws_key_pair.this.key_name
  include_public_key = true
}
data "aws_instance" "web" {
  instance_id   = aws_instance.web.id
  get_user_data = true
}
data "aws_instances" "this" {
  instance_tags = { Name = aws_instance.web.tags.Name }
}
data "aws_launch_template" "this" {
  id = aws_launch_template.this.id
}
data "aws_iam_user" "this" {
  user_name = aws_iam_user.this.name
}
data "aws_iam_users" "this" {}
data "aws_iam_role" "this" {
  name = aws_iam_role.this.name
}
data "aws_iam_roles" "this" {}
data "aws_iam_instance_profile" "this" {
  name = aws_iam_instance_profile.this.name
}
data "aws_iam_access_keys" "this" {
  user = aws_iam_access_key.this.user
}
data "aws_iam_session_context" "this" {
  arn = data.aws_caller_identity.this.arn
}
data "aws_ebs_volumes" "this" {}
data "aws_ebs_encryption_by_default" "this" {}
data "aws_ec2_serial_console_access" "this" {}
