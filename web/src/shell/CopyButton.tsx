import { useState } from "react";

const SHOWN_MS = 1_500;

export function CopyButton({ text, label = "copy" }: { text: string; label?: string }) {
  const [told, setTold] = useState<string | null>(null);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setTold("copied");
    } catch {
      // Browsers give the clipboard to pages on https or loopback only.
      setTold("not allowed here");
    }
    window.setTimeout(() => setTold(null), SHOWN_MS);
  }
  return (
    <button type="button" className="quiet" onClick={() => void copy()} aria-live="polite">
      {told ?? label}
    </button>
  );
}
