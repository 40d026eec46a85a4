/** ReplaceNetworkAclAssociation: gives a subnet another ACL. */
import { z } from 'zod'
import { unavailable } from '../../model/errors.ts'
import { readRouting } from '../../store/routing.ts'
import { changeAction } from '../change.ts'
import { aclAssociations } from '../networks/network-acls.ts'
import {
  missingAssociation,
  networkAclIdSchema,
  refuseOtherVpc,
  refuseUnrouted,
  requireNetworkAcl,
} from '../networks/routing.ts'
import { idSchema } from '../schemas.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html */
export const replaceNetworkAclAssociation = changeAction({
  name: 'ReplaceNetworkAclAssociation',
  input: z.strictObject({
    AssociationId: idSchema('aclassoc', 'InvalidAssociationID.NotFound'),
    NetworkAclId: networkAclIdSchema,
  }),
  async change(tx, { AssociationId, NetworkAclId }, { account, newId, settings }) {
    await refuseUnrouted(tx, settings)
    const subnets = Map.groupBy(await tx.subnets({ account }), ({ vpc }) => vpc)
    const routings = await readRouting(tx, [...subnets.keys()])
    const known = routings
      .flatMap((routing) => aclAssociations(routing, subnets.get(routing.vpc) ?? []))
      .find(({ id }) => id === AssociationId)
    if (known === undefined) throw missingAssociation(AssociationId)
    const acl = await requireNetworkAcl(tx, account, NetworkAclId)
    const { vpc, subnet } = known
    refuseOtherVpc('Network ACL', acl, { id: subnet, vpc })
    const made = { id: newId('aclassoc'), acl: acl.id, vpc, subnet }
    if ((await tx.associateNetworkAcl(made)) === 'taken')
      throw unavailable('Another network ACL is being associated with the same subnet')
    return made.id
  },
  view: (NewAssociationId) => ({ NewAssociationId }),
})
