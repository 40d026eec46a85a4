/**
 * ModifyInstancePlacement: puts a stopped instance into a placement group, or takes it out of one.
 *
 * The instance stays on its host, where its disk is. So it is refused if the group has no place
 * there. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstancePlacement.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { INSTANCE_OPTIONS } from '../../model/instance-options.ts'
import type { PlacementMembership } from '../../model/placement-group.ts'
import type { Host, Instance } from '../../model/records.ts'
import type { Tx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { requireInstance } from '../instances/instances.ts'
import {
  type GroupChoice,
  groupChoice,
  hostChoices,
  joinGroup,
  membershipIn,
  placementGroupOrder,
  placementGroupShape,
  refuseOtherZone,
  takeSlot,
} from '../launch/placement-group.ts'
import { idSchema, onlySchema } from '../schemas.ts'

const schema = z.strictObject({
  InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
  ...placementGroupShape,
  Affinity: onlySchema('default', 'Affinity: only default; no host is dedicated'),
  Tenancy: onlySchema('default', 'Tenancy: only default is supported'),
})

/** ModifyInstancePlacement. An empty `GroupName` takes the instance out of its group. */
export const modifyInstancePlacement = changeAction({
  name: 'ModifyInstancePlacement',
  input: schema,
  prepare(asked) {
    const order = placementGroupOrder(asked)
    if (order === null && asked.GroupName === undefined)
      throw refused(
        'MissingParameter',
        'The request must contain the parameter GroupName or GroupId',
      )
    return { id: asked.InstanceId, order }
  },
  async change(tx, { id, order }, { account }) {
    const instance = await requireInstance(tx, account, id)
    if (instance.state !== 'stopped' || instance.wanted === 'terminate')
      throw refused('IncorrectInstanceState', `The instance '${id}' is not in the 'stopped' state.`)
    if ((await tx.moves({ instances: [id], unended: true })).length > 0)
      throw refused(
        'IncorrectInstanceState',
        `The instance '${id}' is being moved to another host.`,
      )
    const { options = INSTANCE_OPTIONS, host } = instance
    // First, because it may be put into another partition of the same group.
    if (options.placementGroup !== null)
      await tx.leavePlacementGroup(options.placementGroup.id, host)
    const choice = await groupChoice(tx, account, order)
    const placementGroup = choice === null ? null : await enter(tx, instance, choice)
    // Options alone concern no host, but the instance's metadata names the group.
    const { wanted } = instance
    await tx.updateInstance(id, { options: { ...options, placementGroup }, wanted })
  },
  view: () => ({ Return: true }),
})

/** Takes a place in the group on the instance's host. Errors: `InsufficientInstanceCapacity`. */
async function enter(
  tx: Tx,
  { id, host: name }: Instance,
  choice: GroupChoice,
): Promise<PlacementMembership | null> {
  const host = (await tx.hosts()).find((one) => one.name === name)
  const room = { choice, slots: choice.slots }
  if (host !== undefined) {
    refuseOtherZone(choice, host.zone)
    for (const { partition } of hostChoices(room, [host]).filter(({ hosts }) => hosts.length > 0)) {
      if ((await takeSlot(tx, room, name, partition)) === 'taken') break
      await joinGroup(tx, room, 1, host.zone)
      return membershipIn(room, partition)
    }
  }
  throw noPlace(id, name, choice)
}

function noPlace(id: string, host: Host['name'], { group }: GroupChoice): Error {
  return refused(
    'InsufficientInstanceCapacity',
    `The host '${host}' of '${id}' has no place for it in the placement group '${group.name}'; launch another instance in its place`,
  )
}
