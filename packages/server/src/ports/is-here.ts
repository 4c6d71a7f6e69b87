const here = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Whether a URL is of this machine, so that nobody is on the way. */
export const isHere = (url: string): boolean => here.test(new URL(url).hostname)
