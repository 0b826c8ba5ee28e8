import { useEffect, useRef, type ReactNode } from "react";

interface DialogProps {
  title: string;
  onClose?: () => void;
  children: ReactNode;
}

/** A modal dialog: the browser keeps the focus in it, Escape closes it where it may be closed. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <div className="dialog-head">
        <h2>{title}</h2>
        {onClose && <button type="button" className="quiet" onClick={onClose}>close</button>}
      </div>
      {children}
    </dialog>
  );
}
