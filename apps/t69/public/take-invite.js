// Runs before the page asks for anything else, and before the app hears of another address: the token of a link (an
// invite, one to set a password or to confirm an address, or the end of a visit to the provider) leaves the address, and with it the history and whatever a request would name as its
// referrer. `takeLink` of invitation.svelte.ts finds it where it is put here.
{
  const takeInvite = () => {
    const base = new URL('.', document.baseURI).pathname
    const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : ''
    const spaceInvite = /^invite\/([^/]+)\/?$/.exec(path)?.[1]
    const serverInvite = /^#sign-up=([\w-]+)$/.exec(location.hash)?.[1]
    const passwordLink = /^#set-password=([\w-]+)$/.exec(location.hash)?.[1]
    const providerVisit = /^#provider=([\w-]+)$/.exec(location.hash)?.[1]
    const addressLink = /^#confirm-address=([\w-]+)$/.exec(location.hash)?.[1]
    const found = Object.entries({
      spaceInvite,
      serverInvite,
      passwordLink,
      providerVisit,
      addressLink,
    }).filter(([, token]) => token !== undefined)
    if (found.length === 0) return
    Object.assign(document.documentElement.dataset, Object.fromEntries(found))
    history.replaceState(null, '', base)
  }
  takeInvite()
  addEventListener('popstate', takeInvite)
}
