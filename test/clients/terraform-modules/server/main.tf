# A module for an instance with its role and its address, and with every block that such modules
# pass on.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" {}
variable "image" {}
variable "instance_type" { default = "t3.micro" }
variable "subnet_id" {}
variable "groups" { type = list(string) }
variable "key_name" { default = null }
variable "user_data" { default = null }
variable "create_eip" {
  type    = bool
  default = false
}
variable "policies" {
  type    = map(string)
  default = {}
}
variable "tags" {
  type    = map(string)
  default = {}
}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "assume" {
  statement {
    sid     = "EC2AssumeRole"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.${data.aws_partition.current.dns_suffix}"]
    }
  }
}

resource "aws_iam_role" "this" {
  name_prefix           = "${var.name}-"
  path                  = "/servers/"
  description           = "Role of ${var.name}"
  assume_role_policy    = data.aws_iam_policy_document.assume.json
  force_detach_policies = true
  max_session_duration  = 7200
  tags                  = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = var.policies
  policy_arn = each.value
  role       = aws_iam_role.this.name
}

resource "aws_iam_instance_profile" "this" {
  role        = aws_iam_role.this.name
  name_prefix = "${var.name}-"
  path        = "/servers/"
  tags        = var.tags
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_instance" "this" {
  ami                                  = var.image
  instance_type                        = var.instance_type
  hibernation                          = false
  user_data                            = var.user_data
  user_data_replace_on_change          = true
  subnet_id                            = var.subnet_id
  vpc_security_group_ids               = var.groups
  key_name                             = var.key_name
  monitoring                           = true
  iam_instance_profile                 = aws_iam_instance_profile.this.name
  associate_public_ip_address          = var.create_eip ? null : true
  secondary_private_ips                = []
  ebs_optimized                        = false
  disable_api_stop                     = false
  disable_api_termination              = false
  instance_initiated_shutdown_behavior = "stop"
  source_dest_check                    = true
  tenancy                              = "default"
  capacity_reservation_specification {
    capacity_reservation_preference = "open"
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }
  private_dns_name_options {
    hostname_type                        = "ip-name"
    enable_resource_name_dns_a_record    = false
    enable_resource_name_dns_aaaa_record = false
  }
  maintenance_options {
    auto_recovery = "default"
  }
  enclave_options {
    enabled = false
  }
  credit_specification {
    cpu_credits = "standard"
  }
  timeouts {
    create = "10m"
    update = "10m"
    delete = "20m"
  }
  tags = merge({ Name = var.name }, var.tags)
  lifecycle {
    ignore_changes = [ami]
  }
}

resource "aws_eip" "this" {
  count    = var.create_eip ? 1 : 0
  instance = aws_instance.this.id
  domain   = "vpc"
  tags     = merge({ Name = var.name }, var.tags)
}

output "id" { value = aws_instance.this.id }
output "arn" { value = aws_instance.this.arn }
output "private_ip" { value = aws_instance.this.private_ip }
output "private_dns" { value = aws_instance.this.private_dns }
output "nic" { value = aws_instance.this.primary_network_interface_id }
output "public_ip" { value = try(aws_eip.this[0].public_ip, aws_instance.this.public_ip) }
