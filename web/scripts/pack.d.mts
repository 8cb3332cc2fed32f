/** Makes the package in a folder and returns its path. */
export function pack(to?: string): string;
