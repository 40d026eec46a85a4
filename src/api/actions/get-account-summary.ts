/** GetAccountSummary: how many users, groups, roles and policies an account has, and may have. */
import { z } from 'zod'
import { POLICY_MAX, TRUST_POLICY_MAX } from '../../model/policy.ts'
import { POLICIES_MAX as ATTACHED_MAX } from '../accounts/identity-policies.ts'
import { OWN_POLICIES_MAX, VERSIONS_MAX } from '../accounts/own-policies.ts'
import { ROLES_MAX } from '../accounts/roles.ts'
import { GROUPS_PER_USER_MAX, USER_GROUPS_MAX } from '../accounts/user-groups.ts'
import { KEYS_OF_USER_MAX, listUsers, USERS_MAX } from '../accounts/users.ts'
import { readAction } from '../read.ts'

/** What Atoll has none of: MFA devices, certificates, identity providers, a root user with keys. */
const NONE = Object.fromEntries(
  [
    ...['AccountAccessKeysPresent', 'AccountMFAEnabled', 'AccountPasswordPresent'],
    ...['AccountSigningCertificatesPresent', 'MFADevices', 'MFADevicesInUse', 'Providers'],
    ...['ServerCertificates', 'ServerCertificatesQuota', 'SigningCertificatesPerUserQuota'],
  ].map((name) => [name, 0]),
)

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html */
export const getAccountSummary = readAction({
  name: 'GetAccountSummary',
  input: z.strictObject({}),
  async answer(_asked, { account, read }) {
    const counts = await read(async (tx) => {
      const policies = await tx.ownPolicies(account)
      const versions = await Promise.all(policies.map((one) => tx.ownPolicyVersions(one)))
      return {
        Users: (await listUsers(tx, account)).length,
        Groups: (await tx.userGroups(account)).length,
        Roles: (await tx.roles(account)).length,
        InstanceProfiles: (await tx.instanceProfiles(account)).length,
        Policies: policies.length,
        PolicyVersionsInUse: versions.flat().length,
      }
    })
    return {
      SummaryMap: {
        ...NONE,
        ...counts,
        ...{ UsersQuota: USERS_MAX, GroupsQuota: USER_GROUPS_MAX, RolesQuota: ROLES_MAX },
        ...{ InstanceProfilesQuota: ROLES_MAX, PoliciesQuota: OWN_POLICIES_MAX },
        ...{ PolicyVersionsInUseQuota: OWN_POLICIES_MAX * VERSIONS_MAX },
        ...{ AccessKeysPerUserQuota: KEYS_OF_USER_MAX, GroupsPerUserQuota: GROUPS_PER_USER_MAX },
        ...{ AttachedPoliciesPerUserQuota: ATTACHED_MAX, VersionsPerPolicyQuota: VERSIONS_MAX },
        ...{ AttachedPoliciesPerGroupQuota: ATTACHED_MAX },
        ...{ AttachedPoliciesPerRoleQuota: ATTACHED_MAX },
        ...{ PolicySizeQuota: POLICY_MAX, AssumeRolePolicySizeQuota: TRUST_POLICY_MAX },
        ...{ UserPolicySizeQuota: POLICY_MAX, GroupPolicySizeQuota: POLICY_MAX },
        ...{ RolePolicySizeQuota: POLICY_MAX, GlobalEndpointTokenVersion: 2 },
      },
    }
  },
})
