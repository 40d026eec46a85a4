/** Actions of IAM on policies of users, groups and roles: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
import { policyActions } from '../accounts/policy-actions.ts'
import { requireRole } from '../accounts/roles.ts'
import { requireUserGroup } from '../accounts/user-groups.ts'
import {
  groupNameSchema,
  requireLimitedUser,
  requireUser,
  roleNameSchema,
  userNameSchema,
} from '../accounts/users.ts'

/** Of users. */
export const {
  putInline: putUserPolicy,
  getInline: getUserPolicy,
  listInline: listUserPolicies,
  deleteInline: deleteUserPolicy,
  attach: attachUserPolicy,
  detach: detachUserPolicy,
  listAttached: listAttachedUserPolicies,
} = policyActions({
  kind: 'User',
  schema: userNameSchema,
  require: requireUser,
  requireChangeable: requireLimitedUser,
})

/** Of groups of users. */
export const {
  putInline: putGroupPolicy,
  getInline: getGroupPolicy,
  listInline: listGroupPolicies,
  deleteInline: deleteGroupPolicy,
  attach: attachGroupPolicy,
  detach: detachGroupPolicy,
  listAttached: listAttachedGroupPolicies,
} = policyActions({
  kind: 'Group',
  schema: groupNameSchema,
  require: requireUserGroup,
})

/** Of roles. */
export const {
  putInline: putRolePolicy,
  getInline: getRolePolicy,
  listInline: listRolePolicies,
  deleteInline: deleteRolePolicy,
  attach: attachRolePolicy,
  detach: detachRolePolicy,
  listAttached: listAttachedRolePolicies,
} = policyActions({
  kind: 'Role',
  schema: roleNameSchema,
  require: requireRole,
})
