/** What the server notes, in the language of the page. What only a newer server notes is in its words. */
function texts(): Readonly<Record<string, string>> {
  return {
    'account created': 'Account created',
    'account deleted': 'Account deleted',
    'name changed': 'Name changed',
    'address changed': 'E-mail address changed',
    'password changed': 'Password changed',
    'password reset': 'Password reset',
    'link to set a password made': 'Link to set a password made',
    'link to set a password sent': 'Link to set a password sent',
    'password set by a link': 'Password set by a link',
    'connected with the provider': 'Connected with the provider',
    'disconnected from the provider': 'Disconnected from the provider',
    'passkey added': 'Passkey added',
    'passkey removed': 'Passkey removed',
    'signed out everywhere': 'Signed out everywhere',
    'signed out everywhere else': 'Signed out everywhere else',
    'session ended': 'Device signed out',
    'session ended by a reused token': 'Signed out since a token was used twice',
    'made an admin': 'Made an admin',
    'made a member': 'Made a member',
    'invite to the server made': 'Invite to the server made',
    'invite to the server withdrawn': 'Invite to the server withdrawn',
    'registration open': 'Registration open to anyone',
    'registration by invite': 'Registration by invite',
    'registration closed': 'Registration closed',
    'registration by the setting': 'Registration by the setting',
    'space deleted': 'Space deleted',
    'space exported': 'Space exported',
    'space imported': 'Space imported',
    'joined by an invite': 'Joined by an invite',
    left: 'Left a space',
    removed: 'Removed from a space',
    'role changed': 'Role changed',
    'invite made': 'Invite made',
    'invite withdrawn': 'Invite withdrawn',
  }
}

export function actionText(action: string): string {
  return texts()[action] ?? action
}
