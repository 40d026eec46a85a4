/** CreateDhcpOptions: a set, which a VPC gets by AssociateDhcpOptions. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { dhcpConfigurationsSchema, parseDhcpConfigurations } from '../networks/dhcp-options.ts'
import { specifiedTags, tagSpecificationsSchema } from '../schemas.ts'
import { dhcpOptionsView } from '../views/dhcp-options.ts'
import { tagsView } from '../views/tags.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDhcpOptions.html */
export const createDhcpOptions = changeAction({
  name: 'CreateDhcpOptions',
  input: z.strictObject({
    DhcpConfigurations: dhcpConfigurationsSchema,
    TagSpecifications: tagSpecificationsSchema(['dhcp-options']),
  }),
  async change(tx, { DhcpConfigurations, TagSpecifications }, { account, newId, settings }) {
    const said = parseDhcpConfigurations(DhcpConfigurations)
    const limit = settings.quotas.dhcpOptions
    await tx.takeTurn(account)
    if ((await tx.dhcpOptions({ account })).length >= limit)
      throw refused(
        'DhcpOptionsLimitExceeded',
        `The maximum number of sets of DHCP options has been reached: ${limit}`,
      )
    const id = newId('dopt')
    const options = { id, account, ...said }
    await tx.insertDhcpOptions(options)
    const of = { account, resource: id, resourceType: 'dhcp-options' }
    const tags = specifiedTags(TagSpecifications, of)
    await tx.putTags(tags)
    return { options, tags }
  },
  view: ({ options, tags }) => ({
    DhcpOptions: dhcpOptionsView(options, tagsView(tags, options.id)),
  }),
})
