# A module for a security group, with rules as lists, by address range, by group, and by itself.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" {}
variable "vpc_id" {}
variable "revoke_rules_on_delete" {
  type    = bool
  default = false
}
variable "ingress_cidr_blocks" {
  type    = list(string)
  default = []
}
variable "ingress" {
  type    = list(object({ port = number, protocol = string, description = string }))
  default = []
}
variable "from_groups" {
  type    = map(string)
  default = {}
}
variable "tags" {
  type    = map(string)
  default = {}
}

resource "aws_security_group" "this" {
  name_prefix            = "${var.name}-"
  description            = "Group ${var.name}"
  vpc_id                 = var.vpc_id
  revoke_rules_on_delete = var.revoke_rules_on_delete
  tags                   = merge({ Name = var.name }, var.tags)
  timeouts {
    create = "10m"
    delete = "15m"
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group_rule" "ingress" {
  count             = length(var.ingress)
  security_group_id = aws_security_group.this.id
  type              = "ingress"
  cidr_blocks       = var.ingress_cidr_blocks
  ipv6_cidr_blocks  = []
  prefix_list_ids   = []
  description       = var.ingress[count.index].description
  from_port         = var.ingress[count.index].port
  to_port           = var.ingress[count.index].port
  protocol          = var.ingress[count.index].protocol
}

resource "aws_security_group_rule" "from_group" {
  for_each                 = var.from_groups
  security_group_id        = aws_security_group.this.id
  type                     = "ingress"
  source_security_group_id = each.value
  from_port                = -1
  to_port                  = -1
  protocol                 = "icmp"
  description              = each.key
}

resource "aws_security_group_rule" "self" {
  security_group_id = aws_security_group.this.id
  type              = "ingress"
  self              = true
  from_port         = 0
  to_port           = 65535
  protocol          = "udp"
}

resource "aws_security_group_rule" "egress" {
  security_group_id = aws_security_group.this.id
  type              = "egress"
  cidr_blocks       = ["0.0.0.0/0"]
  ipv6_cidr_blocks  = ["::/0"]
  from_port         = 0
  to_port           = 0
  protocol          = "-1"
}

output "id" { value = aws_security_group.this.id }
output "arn" { value = aws_security_group.this.arn }
