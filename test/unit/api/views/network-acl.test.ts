/** A VPC's network ACL as a client reads it. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { networkAclView } from '../../../../src/api/views/network-acl.ts'
import { DEFAULT_ACL_RULES } from '../../../../src/model/network-acl.ts'
import { network, numbered } from '../../../kit/records.ts'
import { RUNS, seenBySdk, someTags } from '../../../kit/views.ts'

it('is all that a client reads', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(3), someTags, async (count, tags) => {
      const numbers = Array.from({ length: count }, (_, index) => index + 1)
      const acl = { ...network.vpc, id: numbered('acl', 1), vpc: network.vpc.id }
      const view = networkAclView(acl, {
        entries: DEFAULT_ACL_RULES,
        associations: numbers.map((one) => ({
          ...{ id: numbered('aclassoc', one), acl: acl.id, vpc: acl.vpc },
          subnet: numbered('subnet', one),
        })),
        tags,
      })
      const all = { CidrBlock: '0.0.0.0/0', Protocol: '-1' }
      expect(await seenBySdk('DescribeNetworkAcls', { NetworkAcls: [view] })).toStrictEqual({
        NetworkAcls: [
          {
            Associations: numbers.map((one) => ({
              NetworkAclAssociationId: `aclassoc-000000000000000${one}0`,
              NetworkAclId: 'acl-00000000000000010',
              SubnetId: `subnet-000000000000000${one}0`,
            })),
            Entries: [
              { ...all, Egress: true, RuleAction: 'allow', RuleNumber: 100 },
              { ...all, Egress: true, RuleAction: 'deny', RuleNumber: 32_767 },
              { ...all, Egress: false, RuleAction: 'allow', RuleNumber: 100 },
              { ...all, Egress: false, RuleAction: 'deny', RuleNumber: 32_767 },
            ],
            IsDefault: true,
            NetworkAclId: 'acl-00000000000000010',
            Tags: tags,
            VpcId: 'vpc-00000000000000010',
            OwnerId: '000000000001',
          },
        ],
      })
    }),
    RUNS,
  )
})
