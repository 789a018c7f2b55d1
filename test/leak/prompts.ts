/** A kind of question an onlooker would like to recognise. */
export interface PromptClass {
  name: string
  content: string
}

const CHATS = [
  'Mara: the ferry leaves at nine\nTobin: I will bring the tickets',
  'Odell: the printer is broken again\nPetra: I called the shop\nOdell: thank you',
  'Ines: can you feed the cat on Friday?\nKarim: yes, I have the key',
  'Noor: the exam moved to Monday\nSven: which room?\nNoor: room twelve\nSven: good',
  'Lena: dinner at seven?\nJuri: make it eight\nLena: fine, at my place',
  'Hugo: the bus is late\nAda: I will wait at the corner'
] as const

const ANIMALS = ['fox', 'bear', 'owl', 'horse', 'whale', 'mouse'] as const

const QUESTIONS = ['Who brings the tickets?', 'When does the ferry leave?', 'Who wrote first?'] as const

/** 24 of them, all for the shipped model and all of one size when sealed: what differs is the answer. */
export const PROMPT_CLASSES: readonly PromptClass[] = [
  ...ANIMALS.map(animal => ({ name: `story ${animal}`, content: `Tell me a story about a ${animal}.` })),
  ...CHATS.map((chat, at) => ({ name: `summary ${at}`, content: `Summarize this chat:\n${chat}` })),
  ...CHATS.map((chat, at) => ({ name: `reply ${at}`, content: `Suggest a reply:\n${chat}` })),
  ...QUESTIONS.map((question, at) => ({
    name: `question ${at}`,
    content: `Answer from this chat:\n${CHATS[0]}\nQuestion: ${question}`
  })),
  { name: 'what', content: 'What is Cocoon?' },
  { name: 'list', content: 'Name ten colours, one in a line.' },
  { name: 'code', content: 'Write a function that adds two numbers.' }
]
