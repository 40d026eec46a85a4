/**
 * Which instance has which instance profile. A change reaches the instance's metadata with its
 * host's next pass, which begins at once.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateIamInstanceProfile.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import {
  associationView,
  givenProfile,
  missingAssociations,
  profileOf,
  profileReferenceSchema,
  requireProfileAssociation,
  setProfile,
} from '../instances/instance-profiles.ts'
import { requireInstance } from '../instances/instances.ts'
import { describeAction } from '../read.ts'
import { IDS_MAX, idSchema, pagedShape } from '../schemas.ts'

const associationIdSchema = idSchema('iip-assoc', 'InvalidAssociationID.NotFound')
const instanceIdSchema = idSchema('i', 'InvalidInstanceID.Malformed')
const PAGE = { least: 5, most: 1000 }

function noProfile(): Error {
  return refused(
    'MissingParameter',
    'The request must contain the parameter IamInstanceProfile.Arn or IamInstanceProfile.Name',
  )
}

/** AssociateIamInstanceProfile: for an instance that has none. */
export const associateIamInstanceProfile = changeAction({
  name: 'AssociateIamInstanceProfile',
  input: z.strictObject({
    InstanceId: instanceIdSchema,
    IamInstanceProfile: profileReferenceSchema,
  }),
  async change(tx, asked, changing) {
    const instance = await requireInstance(tx, changing.account, asked.InstanceId)
    if (instance.state === 'shutting-down' || instance.state === 'terminated')
      throw refused(
        'IncorrectInstanceState',
        `The instance '${instance.id}' is not in a state from which it can be associated: it is ${instance.state}`,
      )
    const given = await givenProfile(tx, asked.IamInstanceProfile, changing)
    if (given === null) throw noProfile()
    if (profileOf(instance) !== null)
      throw refused(
        'IncorrectState',
        `There is an existing association for instance ${instance.id}`,
      )
    const profile = await setProfile(tx, instance, given, changing.newId)
    return { instance: instance.id, profile }
  },
  view: ({ instance, profile }) => ({
    IamInstanceProfileAssociation: profile && associationView(instance, profile, 'associating'),
  }),
})

/** DisassociateIamInstanceProfile: its credentials end. */
export const disassociateIamInstanceProfile = changeAction({
  name: 'DisassociateIamInstanceProfile',
  input: z.strictObject({ AssociationId: associationIdSchema }),
  async change(tx, { AssociationId }, { account, newId }) {
    const { instance, profile } = await requireProfileAssociation(tx, account, AssociationId)
    await setProfile(tx, instance, null, newId)
    return { instance: instance.id, profile }
  },
  view: ({ instance, profile }) => ({
    IamInstanceProfileAssociation: associationView(instance, profile, 'disassociating'),
  }),
})

/** ReplaceIamInstanceProfileAssociation: a new association takes the place of one. */
export const replaceIamInstanceProfileAssociation = changeAction({
  name: 'ReplaceIamInstanceProfileAssociation',
  input: z.strictObject({
    AssociationId: associationIdSchema,
    IamInstanceProfile: profileReferenceSchema,
  }),
  async change(tx, { AssociationId, IamInstanceProfile }, changing) {
    const { account, newId } = changing
    const { instance } = await requireProfileAssociation(tx, account, AssociationId)
    const given = await givenProfile(tx, IamInstanceProfile, changing)
    if (given === null) throw noProfile()
    return { instance: instance.id, profile: await setProfile(tx, instance, given, newId) }
  },
  view: ({ instance, profile }) => ({
    IamInstanceProfileAssociation: profile && associationView(instance, profile, 'associating'),
  }),
})

/** DescribeIamInstanceProfileAssociations: of instances that are not terminated. */
export const describeIamInstanceProfileAssociations = describeAction({
  name: 'DescribeIamInstanceProfileAssociations',
  input: z.strictObject({
    ...pagedShape(PAGE.least, PAGE.most, { larger: 'refused' }),
    AssociationIds: z.array(associationIdSchema).max(IDS_MAX).default([]),
  }),
  check: (asked) => refuseIdsWithMaxResults('AssociationId', asked.AssociationIds, asked),
  async rows({ AssociationIds: ids }, { account, read }) {
    const instances = await read((tx) => tx.instances({ account, live: true }))
    const found = instances.flatMap((instance) => {
      const profile = profileOf(instance)
      return profile === null ? [] : [{ instance: instance.id, profile }]
    })
    const known = new Set<string>(found.map(({ profile }) => profile.association))
    refuseMissing(ids, known, missingAssociations)
    const isWanted = isAmong(ids)
    return found.filter(({ profile }) => isWanted(profile.association))
  },
  view: ({ instance, profile }) => associationView(instance, profile),
  key: (one) => one.AssociationId ?? '',
  filters: {
    'instance-id': (one) => one.InstanceId,
    state: (one) => one.State,
  },
  answer: (IamInstanceProfileAssociations) => ({ IamInstanceProfileAssociations }),
})
