import { Component, type ReactNode } from "react";

/** Keeps the navigation alive when a screen fails, and says what failed. */
export class ScreenFault extends Component<{ children: ReactNode }, { fault: Error | null }> {
  override state: { fault: Error | null } = { fault: null };

  static getDerivedStateFromError(fault: Error): { fault: Error } {
    return { fault };
  }

  override render(): ReactNode {
    const { fault } = this.state;
    if (fault === null) return this.props.children;
    return (
      <div className="empty" role="alert">
        <h1>This screen failed</h1>
        <p>{fault.message}</p>
        <p>Nothing happened to your runs. <button type="button" onClick={() => window.location.reload()}>Load the page again</button></p>
      </div>
    );
  }
}
