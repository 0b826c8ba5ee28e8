const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** `href` where it may be followed, else null: anything but the web and mail is shown as text. */
export function safeLink(href: string): string | null {
  try {
    const url = new URL(href);
    return SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
