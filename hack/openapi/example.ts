// An application's code on the types of a tenant that declares schemas of its own. It is compiled and not run: what it says must be right, and
// each line below @ts-expect-error must be wrong.
import type { components, operations, paths } from './types.js'

type User = components['schemas']['User']
type Page = paths['/Users']['get']['responses'][200]['content']['application/scim+json']

const hr = 'urn:contoso:scim:schemas:hr:1.0:User'

export function badges(page: Page): Map<string, string> {
  const found = new Map<string, string>()
  for (const user of page.Resources) {
    const badge = user[hr]?.badge
    if (badge !== undefined) found.set(user.id, badge)
  }
  return found
}

export function rename(user: User): void {
  user.displayName = user.name?.formatted ?? user.userName
  // @ts-expect-error an id is given by the server
  user.id = '1'
  // @ts-expect-error there is no such attribute
  user.favouriteColour = 'red'
}

export const query: operations['listUsers']['parameters']['query'] = {
  filter: 'active eq true', attributes: ['userName', hr], count: 1000, cursor: '',
}

export const anna: components['schemas']['UserRequest'] = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:User', hr],
  userName: 'anna@contoso.test',
  emails: [{ type: 'work', value: 'anna@contoso.test', primary: true }],
  [hr]: { badge: '7', desks: [{ floor: 3, type: 'home' }] },
}

// @ts-expect-error a user has a userName
export const nobody: components['schemas']['UserRequest'] = { schemas: [] }

export function again(error: components['schemas']['Error']): boolean {
  return error.scimType === 'expiredCursor' || error.scimType === 'invalidCursor'
}
