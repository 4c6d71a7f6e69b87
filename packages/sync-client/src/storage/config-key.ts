/** Whether a key of `config`, such as `view:<space id>`, is about a space: its value goes with the space. */
export const namesSpace = (key: string, spaceId: string): boolean => key.split(':').includes(spaceId)
