// Runs before the page asks for anything else, and before the app hears of another address: the token of an invite link
// leaves the address, and with it the history and whatever a request would name as its referrer. `takeInvite` of
// invitation.svelte.ts finds it where it is put here.
{
  const takeInvite = () => {
    const base = new URL('.', document.baseURI).pathname
    const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : ''
    const spaceInvite = /^invite\/([^/]+)\/?$/.exec(path)?.[1]
    const serverInvite = /^#sign-up=([\w-]+)$/.exec(location.hash)?.[1]
    if (spaceInvite === undefined && serverInvite === undefined) return
    if (spaceInvite !== undefined) document.documentElement.dataset.spaceInvite = spaceInvite
    if (serverInvite !== undefined) document.documentElement.dataset.serverInvite = serverInvite
    history.replaceState(null, '', base)
  }
  takeInvite()
  addEventListener('popstate', takeInvite)
}
