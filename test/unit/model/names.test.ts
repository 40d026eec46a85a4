/** Marks: what is ours is recognised, and nothing else is. */
import { describe, expect, test } from 'vitest'
import { formatId, ID_BYTES } from '../../../src/model/ids.ts'
import {
  containerName,
  guestLinkName,
  INSTANCE_LABEL,
  instanceOfContainer,
  isNicLink,
  nicLinkName,
} from '../../../src/model/names.ts'

const instance = formatId('i', new Uint8Array(ID_BYTES).fill(7))
const nic = formatId('eni', new Uint8Array(ID_BYTES).fill(0xab))
/** IFNAMSIZ with its final zero. */
const LINK_NAME_MAX = 15

test('links have names that the kernel takes, and only host ends count as NICs', () => {
  for (const name of [nicLinkName(nic), guestLinkName(nic)])
    expect(name.length).toBeLessThanOrEqual(LINK_NAME_MAX)
  expect(isNicLink(nicLinkName(nic))).toBe(true)
  for (const other of [guestLinkName(nic), 'at-gw', 'at-h', 'eth0', `${nicLinkName(nic)}0`])
    expect(isNicLink(other)).toBe(false)
})

describe('a container is an instance', () => {
  const label = { [INSTANCE_LABEL]: instance }
  const name = `/${containerName(instance)}`

  test('with our label and our name', () => {
    expect(instanceOfContainer(label, [name])).toBe(instance)
    expect(instanceOfContainer(label, ['/other/link', name])).toBe(instance)
  })

  test.each([
    ['with our label only, as from an image that was committed from one', label, ['/mine']],
    ['with our name only', {}, [name]],
    ['with a label that is no id', { [INSTANCE_LABEL]: 'web' }, ['/atoll-web']],
    ['with the name of another', label, [`${name}0`]],
    ['with nothing', {}, []],
  ])('not %s', (_what, labels, names) => {
    expect(instanceOfContainer(labels, names)).toBeUndefined()
  })
})
