/** Terraform as teams write it: modules for networks, groups and servers, all of it optional. */
import { describeTerraform } from '../kit/terraform.ts'

describeTerraform(
  'Terraform modules',
  'terraform-modules',
  'Two peered networks, groups and servers by the modules of `test/clients/terraform-modules`, which are written as those that people share: made, planned again without a difference, changed, imported, and destroyed.',
)
